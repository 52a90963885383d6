"""`normalise` on the cases of tests/data/normalise_cases.json, and what holds for any JSON."""

from __future__ import annotations

import copy
import json
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pointsman_client import ApiKind, NormalisedPrompt, UnusableBody, normalise, read_body
from pointsman_client.bodies import text as text_room
from pointsman_client.encode import REQUEST_BYTES, to_message
from pointsman_client.model import PREFIX_CODE_POINTS, RouteRequest

CASES = json.loads(
    (Path(__file__).parents[2] / "data" / "normalise_cases.json").read_text(encoding="utf-8")
)["normalise"]
KINDS = (ApiKind.CHAT_COMPLETIONS, ApiKind.RESPONSES, ApiKind.MESSAGES)


def _words(message: object) -> str:
    return text_room.users_words(text_room.text_of(message))


def _id(case: dict[str, Any]) -> str:
    return str(case["name"])


@pytest.mark.parametrize("case", [case for case in CASES if "expect" in case], ids=_id)
def test_a_body_becomes_what_the_case_says(case: dict[str, Any]) -> None:
    normalised = normalise(case["body"], case["api_kind"])
    assert normalised is not None
    expect = dict(case["expect"])
    if "required_inputs" in expect:
        expect["required_inputs"] = frozenset(expect["required_inputs"])
    assert {name: getattr(normalised, name) for name in expect} == expect


@pytest.mark.parametrize("case", [case for case in CASES if "rejected" in case], ids=_id)
def test_a_body_of_another_shape_is_none_and_the_field_is_named(case: dict[str, Any]) -> None:
    assert normalise(case["body"], case["api_kind"]) is None
    with pytest.raises(UnusableBody) as caught:
        read_body(case["body"], case["api_kind"])
    assert [each.field for each in caught.value.violations] == [case["rejected"]]


def test_no_case_stands_twice() -> None:
    names = [case["name"] for case in CASES]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("kind", ["completions", ApiKind.UNSPECIFIED])
def test_a_kind_that_is_no_api_is_a_mistake_of_the_code(kind: str) -> None:
    with pytest.raises(ValueError, match=r"completions|unspecified"):
        normalise({"model": "m"}, kind)


_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
_WORDS = st.sampled_from(
    [
        "user",
        "assistant",
        "system",
        "text",
        "tool_result",
        "image_url",
        "tool_use",
        "thinking",
        "<task>",
        "</task>",
        "<file a=b>",
        "</file>",
        "<thinking>",
        "[x] Result:",
        "[ERROR]",
        "\ud83d",
    ]
)
_KEYS = st.sampled_from(
    [
        "role",
        "content",
        "text",
        "type",
        "input",
        "arguments",
        "tool_calls",
        "source",
        "data",
        "model",
        "messages",
        "system",
        "instructions",
        "tools",
        "stream",
        "provider",
        "max_tokens",
    ]
)
_JSON = st.recursive(
    _SCALARS | _WORDS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(_KEYS | st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=25,
)
_MESSAGES = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "content": _JSON}),
    max_size=4,
)
_BODIES = st.fixed_dictionaries(
    {"model": st.just("m")},
    optional={"messages": _MESSAGES, "input": _JSON, "system": _JSON, "tools": _JSON},
)


@given(body=_JSON | _BODIES, kind=st.sampled_from(KINDS))
@example(body={"model": "m", "messages": [{"role": "user", "content": "\ud83d"}]}, kind=KINDS[0])
@example(body={"model": "m", "input": [{"type": []}]}, kind=ApiKind.RESPONSES)
def test_any_json_gives_a_bounded_value_that_can_be_sent_or_none(body: Any, kind: ApiKind) -> None:
    before = copy.deepcopy(body)
    normalised = normalise(body, kind)
    assert repr(body) == repr(before)
    if normalised is None:
        return
    for prefix in (
        normalised.user_prompt_prefix,
        normalised.latest_user_prompt_prefix,
        normalised.system_prompt_prefix,
    ):
        assert prefix is None or 0 < len(prefix) <= PREFIX_CODE_POINTS
    if normalised.latest_user_prompt_prefix is not None:
        assert normalised.latest_user_prompt_prefix != normalised.user_prompt_prefix
    message = to_message(RouteRequest(prompt=normalised, user_id="u"))
    assert message.ByteSize() <= REQUEST_BYTES


@given(words=st.lists(_WORDS | st.text(max_size=8), max_size=30))
def test_what_is_left_of_a_message_is_one_trimmed_line(words: list[str]) -> None:
    left = _words(" ".join(words))
    assert left == left.strip() or len(left) == PREFIX_CODE_POINTS
    assert "\n" not in left
    assert "  " not in left


@given(words=st.lists(st.sampled_from(["fix", "the", "build", "now"]), min_size=1, max_size=30))
def test_plain_words_come_through_unchanged(words: list[str]) -> None:
    plain = " ".join(words)
    assert _words(plain) == plain


@pytest.mark.parametrize(
    "opening", ["<thinking>", "<thinking ", "<task>", "<file a", "[", "<", "</file>", "[ERROR]"]
)
def test_no_more_than_a_bounded_part_of_a_message_meets_a_pattern(opening: str) -> None:
    excerpt = text_room.text_of([{"type": "text", "text": opening * 100_000}] * 3)
    assert len(excerpt.text) == text_room.TEXT_BOUND
    assert excerpt.is_cut
    assert len(_words(opening * 100_000)) <= PREFIX_CODE_POINTS


def test_each_end_of_a_block_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """With n openings and n ends the work is linear: an end is taken from its queue for good."""
    looked_at = 0

    class CountingDeque(deque[Any]):
        def popleft(self) -> Any:
            nonlocal looked_at
            looked_at += 1
            return super().popleft()

    monkeypatch.setattr(text_room, "deque", CountingDeque)
    pairs = 500
    _words("<thinking>" * pairs + "</thinking>" * pairs + "<thinking></thinking>" * 9)
    assert 0 < looked_at <= pairs + 9


def test_the_search_for_words_ends_before_it_has_read_a_long_conversation() -> None:
    empty = "<thinking>" + "x" * 10_000 + "</thinking>"
    read = 0

    def contents() -> Iterator[str]:
        nonlocal read
        while True:
            read += 1
            yield empty

    assert text_room.first_words(contents()) is None
    assert read == text_room.SCAN_BOUND // len(empty) + 1


def test_results_of_tools_do_not_end_the_search_for_words() -> None:
    result = [{"type": "tool_result", "content": "r" * 10_000}]
    assert text_room.first_words([result] * 1_000 + ["Go on."]) == "Go on."


def test_a_block_that_the_bound_cuts_off_is_removed_all_the_same() -> None:
    block = "<environment_details>" + "x" * text_room.TEXT_BOUND + "</environment_details>"
    assert _words(f"Fix it. {block}") == "Fix it."
    assert _words(f"<task>Fix it. {block}</task>") == "Fix it."


def test_text_that_nests_without_end_is_left() -> None:
    deep: Any = "never reached"
    for _ in range(100_000):
        deep = [deep]
    assert text_room.text_of(deep).text == ""
    body = {"model": "m", "messages": [{"role": "user", "content": deep}]}
    assert normalise(body, ApiKind.CHAT_COMPLETIONS) is not None


def test_a_hand_made_value_is_cut_and_well_formed_too() -> None:
    prompt = NormalisedPrompt(user_prompt_prefix="😀" * 2_000, system_prompt_prefix="\udc00")
    assert prompt.user_prompt_prefix == "😀" * 1_000
    assert prompt.system_prompt_prefix == "\ufffd"
