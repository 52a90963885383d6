"""Users, sessions and sub-agents out of headers and bodies, as agents send them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_client import (
    BodySession,
    BodyUser,
    IdentitySources,
    ResponseChains,
    identify,
    read_body,
)
from pointsman_client.bodies.identity import AGENT_HEADERS, SESSION_HEADERS, split_user_id

ACCOUNT = "a1b2-c3"


def anthropic(session: str) -> dict[str, Any]:
    return {"metadata": {"user_id": f"user_x_account__session_{session}"}}


@pytest.mark.parametrize(
    ("value", "user", "session"),
    [
        ("user_x_account__session_y", "user_x", "y"),
        (f"user_x_account_{ACCOUNT}_session_y", f"user_x_account_{ACCOUNT}", "y"),
        ("user_x_session_y", "user_x", "y"),
        (json.dumps({"device_id": "d", "account_uuid": "", "session_id": "s"}), "d", "s"),
        (json.dumps({"device_id": "d", "account_uuid": "a", "session_id": "s"}), "a", "s"),
        ({"device_id": "d", "session_id": "s"}, "d", "s"),
        (json.dumps({"session_id": "s"}), None, "s"),
        ("alice@example.test", "alice@example.test", None),
        ("my_session_user", "my_session_user", None),
        ("{not json", None, None),
        ("[]", "[]", None),
        ("  ", None, None),
        (7, None, None),
        (None, None, None),
        ("x" * 257, None, None),
        ("\ud83d", None, None),
    ],
)
def test_an_id_that_holds_a_session_is_split(
    value: object, user: str | None, session: str | None
) -> None:
    assert split_user_id(value) == (user, session)


def test_five_turns_of_one_session_are_one_session_of_one_user() -> None:
    turns = [identify(anthropic("y")) for _ in range(5)]
    assert {(turn.user_id, turn.session_id) for turn in turns} == {("user_x", "y")}
    assert identify(anthropic("z")).user_id == "user_x"
    assert identify({"user": "user_x_account__session_y"}).session_id == "y"


@pytest.mark.parametrize("header", SESSION_HEADERS)
def test_every_header_that_agents_use_names_the_session(header: str) -> None:
    found = identify(anthropic("y"), headers={header.title(): " s-1 "})
    assert (found.session_id, found.session_source, found.user_id) == ("s-1", header, "user_x")


@pytest.mark.parametrize("header", AGENT_HEADERS)
def test_a_sub_agent_is_named_beside_its_session(header: str) -> None:
    found = identify({}, headers={"x-claude-code-session-id": "s", header: "agent-1"})
    assert (found.session_id, found.agent_id) == ("s", "agent-1")


def test_a_header_that_the_service_refuses_is_passed_over() -> None:
    headers = {"x-session-id": " ", "session_id": "s" * 257, "x-kilocode-taskid": "task-1"}
    assert identify({}, headers=headers).session_id == "task-1"


@pytest.mark.parametrize(
    ("body", "session", "source"),
    [
        ({"metadata": {"session_id": "s"}}, "s", "metadata.session_id"),
        (anthropic("y"), "y", "metadata.user_id"),
        ({"session_id": "s"}, "s", "session_id"),
        ({"conversation": "c"}, "c", "conversation"),
        ({"conversation": {"id": "c"}}, "c", "conversation"),
        ({"prompt_cache_key": "k"}, "k", "prompt_cache_key"),
        ({"prompt_cache_key": "k", "conversation": "c"}, "c", "conversation"),
        ({"previous_response_id": "r"}, None, None),
        ({"prompt_cache_key": {"a": 1}, "metadata": "x", "conversation": []}, None, None),
        ([], None, None),
    ],
)
def test_members_of_a_body_name_the_session(
    body: Any, session: str | None, source: str | None
) -> None:
    found = identify(body)
    assert (found.session_id, found.session_source) == (session, source)


@pytest.mark.parametrize("off", list(BodySession))
def test_each_member_can_be_switched_off(off: BodySession) -> None:
    sources = IdentitySources(body_sessions=[each for each in BodySession if each is not off])
    body = {
        BodySession.METADATA_SESSION_ID: {"metadata": {"session_id": "s"}},
        BodySession.METADATA_USER_ID: anthropic("s"),
        BodySession.SESSION_ID: {"session_id": "s"},
        BodySession.CONVERSATION: {"conversation": "s"},
        BodySession.PREVIOUS_RESPONSE_ID: {"previous_response_id": "s", "input": "u"},
        BodySession.PROMPT_CACHE_KEY: {"prompt_cache_key": "s"},
    }[off]
    chains, prompt = ResponseChains(), read_body({"model": "m", "input": "u"}, "responses")
    assert identify(body, chains=chains, prompt=prompt).session_id == "s"
    assert identify(body, sources=sources, chains=chains, prompt=prompt).session_id != "s"


def test_users_and_headers_can_be_switched_off() -> None:
    off = IdentitySources(user_headers=(), session_headers=("X-Mine",), body_users=())
    found = identify({"user": "u"}, headers={"x-user-id": "u", "x-mine": "s"}, sources=off)
    assert (found.user_id, found.session_id) == (None, "s")
    only = IdentitySources(body_users=[BodyUser.SAFETY_IDENTIFIER])
    assert identify({"user": "u", "safety_identifier": "i"}, sources=only).user_id == "i"


@pytest.mark.parametrize("wrong", ["x-session-id", 7])
def test_a_string_in_place_of_a_list_is_a_mistake_of_the_code(wrong: Any) -> None:
    with pytest.raises(TypeError, match="session_headers must be a sequence"):
        IdentitySources(session_headers=wrong)


def chained(chains: ResponseChains, previous: str | None, words: str, **fields: Any) -> str | None:
    body = {"model": "m", "input": words, "previous_response_id": previous, **fields}
    return identify(body, chains=chains, prompt=read_body(body, "responses")).session_id


def test_three_turns_chained_by_their_responses_are_one_session() -> None:
    chains = ResponseChains()
    sessions = [chained(chains, None, "Design a cache.")]
    for number, words in enumerate(("Go on.", "Now prove it."), start=1):
        chains.record(f"resp_{number}", session_id=sessions[-1])
        sessions.append(chained(chains, f"resp_{number}", words))
    assert len(set(sessions)) == 1
    assert sessions[0]
    assert chained(chains, None, "Another task.") != sessions[0]
    assert chained(chains, None, "Design a cache.") == sessions[0]


def test_an_unknown_response_begins_a_session_and_unstored_ones_have_none() -> None:
    chains = ResponseChains()
    assert chained(chains, "resp_9", "Go on.") == "resp_9"
    # Another process saw the response: a key that all turns share names the session.
    assert chained(chains, "resp_9", "Go on.", prompt_cache_key="k") == "k"
    assert chained(chains, None, "Go on.", store=False) is None
    assert chained(chains, None, "Go on.", prompt_cache_key="k", store=False) == "k"


def test_a_chain_map_is_bounded_and_keeps_what_is_used() -> None:
    chains = ResponseChains(limit=2)
    chains.record("r1", session_id="s1")
    chains.record("r2", session_id="s2")
    assert chained(chains, "r1", "u") == "s1"
    chains.record("r3", session_id="s3")
    chains.record(None, session_id="s4")
    chains.record("r4", session_id=None)
    assert len(chains) == 2
    assert (chained(chains, "r1", "u"), chained(chains, "r2", "u")) == ("s1", "r2")
    with pytest.raises(ValueError, match="at least 1"):
        ResponseChains(limit=0)


_IDS = st.none() | st.booleans() | st.integers() | st.text(max_size=20)
_NESTED = st.dictionaries(st.sampled_from(["user_id", "session_id", "id"]), _IDS)


@given(
    body=st.dictionaries(
        st.sampled_from(["metadata", "user", "conversation", "prompt_cache_key", "session_id"]),
        _IDS | _NESTED | st.lists(_IDS),
    )
)
def test_any_body_gives_ids_that_the_service_takes(body: dict[str, Any]) -> None:
    found = identify(body)
    for value in (found.user_id, found.session_id, found.agent_id):
        assert value is None or (0 < len(value) <= 256 and value == value.strip())
