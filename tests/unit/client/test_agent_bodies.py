"""The bodies of tests/data/agent_bodies.json: what is left are the user's words."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_client import ApiKind, normalise, read_generate_content
from pointsman_client.bodies import text as text_room
from pointsman_client.bodies.leading import skip_leading
from pointsman_client.bodies.preambles import PREAMBLES, QUEUED, TRAILERS
from pointsman_client.bodies.volatile import without_volatile
from pointsman_client.bodies.wrappers import BLOCKS
from pointsman_client.model import PREFIX_CODE_POINTS

BODIES = json.loads(
    (Path(__file__).parents[2] / "data" / "agent_bodies.json").read_text(encoding="utf-8")
)["bodies"]


@pytest.mark.parametrize("case", BODIES, ids=lambda case: f"{case['agent']}: {case['name']}")
def test_the_words_are_the_users(case: dict[str, Any]) -> None:
    normalised = normalise(case["body"], case["api_kind"])
    assert normalised is not None
    assert {name: getattr(normalised, name) for name in case["expect"]} == case["expect"]


def test_every_agent_of_the_table_has_a_body() -> None:
    known = {row.agent for row in (*BLOCKS, *PREAMBLES, *TRAILERS)}
    assert {case["agent"] for case in BODIES} == known


@pytest.mark.parametrize(
    ("block", "name"),
    [(block, name) for block in BLOCKS for name in block.names],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_known_element_is_removed_or_opened(block: Any, name: str) -> None:
    attributes = block.attributes or (" path='a'" if name == "file" else "")
    mark = "".join(f"{mark}>" if mark.startswith("<") else mark for mark in block.beside[:1])
    message = f"<{name}{attributes}>inside</{name}>\noutside {mark}"
    left = text_room.users_words(text_room.text_of(message))
    assert left == "inside" if block.words else left.startswith("outside")


@pytest.mark.parametrize("row", PREAMBLES, ids=lambda row: row.starts[:30])
def test_every_preamble_is_skipped_up_to_its_end(row: Any) -> None:
    after = f" of something {row.ends}and then words" if row.ends else " of something"
    left = text_room.users_words(text_room.text_of(row.starts + after))
    assert left == ("and then words" if row.ends else "")


def test_gemini_contents_are_read_like_chat() -> None:
    prompt = read_generate_content(
        {
            "systemInstruction": {"parts": [{"text": "You are the Gemini CLI."}]},
            "contents": [
                {
                    "role": "user",
                    "parts": [
                        {"text": "<session_context>\nwhere\n</session_context>"},
                        {"text": "Fix the sorting."},
                    ],
                },
                {
                    "role": "model",
                    "parts": [
                        {"functionCall": {"name": "read", "args": {}}, "thoughtSignature": "s"}
                    ],
                },
                {
                    "role": "user",
                    "parts": [
                        {"functionResponse": {"name": "read", "response": {"output": "x = 1"}}},
                        {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
                    ],
                },
            ],
            "generationConfig": {"maxOutputTokens": 8},
            "tools": [{"functionDeclarations": [{"name": "read"}]}],
        },
        model="t",
        stream=True,
    )
    assert prompt.user_prompt_prefix == "Fix the sorting."
    assert prompt.latest_user_prompt_prefix is None
    assert prompt.system_prompt_prefix == "You are the Gemini CLI."
    assert prompt.required_inputs == {"image"}
    assert (prompt.keep_provider, prompt.has_tools, prompt.stream) == (True, True, True)
    assert (prompt.max_output_tokens, prompt.message_count) == (8, 3)


HEADS = (
    "x-anthropic-billing-header: cc_version=2.1.77.{h}; cc_entrypoint=cli; cch={h};\nYou help.",
    "\nx-anthropic-billing-header: cc_version=2.1; cch={h}\nYou help.",
    "x-proxy-request-id: {h}\nYou help.",
    "Current time: 2026-11-30T12:{m}:{s}Z\nYou help.",
    "It is 12:{m}:{s} PM on Monday, November {d}, 2026. You help.",
    "Date: {d}.11.2026, {d} Nov 2026. You help.",
    "Request id: {h}. You help.",
    "Turn {d} of many. You help.",
    "Session 0af76519-16cd-43dd-8448-eb211c80{d}9c. You help.",
    "Tokens left: {d},{m}0. You help.",
    "Unix time 17644{m}{s}00. You help.",
)


@pytest.mark.parametrize("head", HEADS)
def test_what_changes_with_every_request_is_no_part_of_the_system_prompt(head: str) -> None:
    dice = random.Random(1)
    heads = set()
    for _ in range(5):
        filled = head.format(
            h=f"{dice.randrange(16**6):06x}{dice.randrange(10)}",
            m=dice.randrange(10, 60),
            s=dice.randrange(10, 60),
            d=dice.randrange(10, 29),
        )
        body = {"model": "m", "system": filled, "messages": [{"role": "user", "content": "u"}]}
        normalised = normalise(body, "messages")
        assert normalised is not None
        heads.add(normalised.system_prompt_prefix)
    assert len(heads) == 1
    assert "You help." in str(heads.pop())


def test_what_does_not_change_is_left() -> None:
    plain = "You help with Python 3.11 and answer in 2 sentences. See section 4.2 of RFC 9110."
    assert without_volatile(plain) == plain


@given(text=st.text(max_size=200), start=st.sampled_from([*(p.starts for p in PREAMBLES), *QUEUED]))
def test_a_skip_stays_inside_of_the_part(text: str, start: str) -> None:
    for part in (text, start + text, f"<system-reminder>{start}{text}"):
        assert 0 <= skip_leading(part).end <= len(part)


HOSTILE = (
    "<system-reminder>",
    "<system-reminder></system-reminder>",
    "<system-reminder ",
    "</system-reminder>",
    "<context></context>",
    "<context>",
    "<user_query>",
    "<task><task></task>",
    "<feedback> ",
    "# AGENTS.md instructions ",
    "Caveat: The messages below were\n",
    "<",
    "[",
    "x-a-nonce:",
    "jan 1 ",
    "a1",
    " \n",
    "[ERROR] ",
    "<system-reminder>The user sent the following message:",
    "<system-reminder><system-reminder></system-reminder>",
)


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_texts_take_bounded_time(piece: str) -> None:
    """Linear work: 16 MB of it costs what a search costs, not what a backtracking pattern does."""
    text = piece * (16_000_000 // len(piece))
    body = {"model": "m", "system": text, "messages": [{"role": "user", "content": text}]}
    began = time.process_time()
    normalised = normalise(body, ApiKind.MESSAGES)
    assert time.process_time() - began < 5.0
    assert normalised is not None
    assert len(normalised.user_prompt_prefix or "") <= PREFIX_CODE_POINTS
