"""Bodies: what is accepted, what is cut, and that every bad field is named at once."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.core.errors import InvalidRequest
from pointsman_server.core.model import PROMPT_CODE_POINTS
from pointsman_server.http_api.errors import Refused
from pointsman_server.http_api.json_bodies import parse_json
from pointsman_server.http_api.limits import Limits
from pointsman_server.morph_api.wire import (
    HEADS,
    ClassifyBody,
    RouteBody,
    classify_body,
    route_body,
)

LIMITS = Limits()


def read(**fields: Any) -> RouteBody:
    return route_body({"input": "Fix it", **fields}, limits=LIMITS)


def bad_fields(raw: object) -> list[str]:
    with pytest.raises(InvalidRequest) as caught:
        route_body(raw, limits=LIMITS)
    return [violation.field for violation in caught.value.violations]


def test_only_the_input_is_required() -> None:
    assert read() == RouteBody(
        prompt="Fix it",
        allowed_models=None,
        allowed_providers=None,
        policy="balanced",
        default_model=None,
    )


def test_null_counts_as_absent() -> None:
    fields = ("allowed_models", "allowed_providers", "policy", "default_model")
    assert read(**dict.fromkeys(fields)) == read()


def test_a_field_that_nobody_knows_is_ignored() -> None:
    assert read(stream=True, modalities=["vision"]) == read()


@pytest.mark.parametrize(
    ("raw", "prompt"),
    [
        ("  Fix it \n", "Fix it"),
        ("x" * (PROMPT_CODE_POINTS + 1), "x" * PROMPT_CODE_POINTS),
        ("\U0001f600" * 1_001, "\U0001f600" * 1_000),
        # A caller that counts in UTF-16 has cut a character in half.
        ("half \ud83d", "half \ufffd"),
        ("\ud83d\ude00 whole", "\U0001f600 whole"),
    ],
)
def test_the_prompt_is_trimmed_cut_and_made_whole(raw: str, prompt: str) -> None:
    assert read(input=raw).prompt == prompt


def test_names_are_trimmed_and_counted_once_in_the_order_given() -> None:
    body = read(allowed_models=[" gpt-5.5 ", "claude-opus-4-8", "gpt-5.5"])
    assert body.allowed_models == ("gpt-5.5", "claude-opus-4-8")


def test_one_allowed_model_is_enough() -> None:
    assert read(allowed_models=["gpt-5.5"]).allowed_models == ("gpt-5.5",)


@pytest.mark.parametrize("raw", [None, [], "x", 1, True])
def test_a_body_that_is_no_object_is_refused(raw: object) -> None:
    assert bad_fields(raw) == ["body"]


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("input", None, "input"),
        ("input", "", "input"),
        ("input", " \n\t", "input"),
        ("input", 5, "input"),
        ("input", ["Fix it"], "input"),
        ("input", "x" * (LIMITS.input_code_points + 1), "input"),
        ("policy", "cheapest", "policy"),
        ("policy", 1, "policy"),
        ("policy", ["balanced"], "policy"),
        ("allowed_models", "gpt-5.5", "allowed_models"),
        ("allowed_models", {}, "allowed_models"),
        ("allowed_models", [], "allowed_models"),
        ("allowed_models", [f"m{i}" for i in range(65)], "allowed_models"),
        ("allowed_models", ["gpt-5.5", None], "allowed_models[1]"),
        ("allowed_models", ["gpt-5.5", "  "], "allowed_models[1]"),
        ("allowed_models", ["m" * 257], "allowed_models[0]"),
        ("allowed_models", ["a\nb"], "allowed_models[0]"),
        ("allowed_models", ["\ud83d"], "allowed_models[0]"),
        ("allowed_providers", [], "allowed_providers"),
        ("allowed_providers", [7], "allowed_providers[0]"),
        ("default_model", "", "default_model"),
        ("default_model", 3, "default_model"),
    ],
)
def test_a_bad_field_is_named(field: str, value: object, named: str) -> None:
    assert bad_fields({"input": "Fix it", field: value}) == [named]


def test_every_bad_field_is_named_at_once() -> None:
    raw = {
        "input": "",
        "policy": "x",
        "allowed_models": ["a", 1, ""],
        "allowed_providers": 3,
        "default_model": [],
    }
    assert set(bad_fields(raw)) == {
        "input",
        "policy",
        "allowed_models[1]",
        "allowed_models[2]",
        "allowed_providers",
        "default_model",
    }


def test_no_error_quotes_a_value() -> None:
    canary = "canary-7f3a"
    raw = {
        "input": canary * 4000,
        "policy": canary,
        "allowed_models": [f"{canary}\n"[:-1] + "\x00"],
        "default_model": canary + "\x00",
    }
    with pytest.raises(InvalidRequest) as caught:
        route_body(raw, limits=LIMITS)
    assert len(caught.value.violations) == 4
    assert canary not in str(caught.value)


def test_the_largest_input_that_is_allowed_fits_the_largest_body() -> None:
    text = "\U0001f600" * LIMITS.input_code_points
    names = ["\U0001f600" * 255 + chr(0x1F600 + i) for i in range(LIMITS.models)]
    raw = json.dumps({"input": text, "allowed_models": names}, ensure_ascii=True).encode()
    assert len(raw) <= LIMITS.body_bytes
    assert route_body(parse_json(raw), limits=LIMITS).allowed_models == tuple(names)


@pytest.mark.parametrize(
    "raw",
    [b"", b'{"input":', b"\xff\xfe", b'"\xe9"', b"[" * 200_000, b"1" * 5_000],
    ids=["empty", "cut", "utf-16 mark", "latin-1", "too deep", "too long a number"],
)
def test_what_is_no_json_is_refused_as_such(raw: bytes) -> None:
    with pytest.raises(Refused) as caught:
        parse_json(raw)
    assert (caught.value.status, caught.value.code) == (400, "invalid_json")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_json_value_is_read_or_refused(value: object) -> None:
    for raw in (value, {"input": "x", "allowed_models": value, "policy": value}):
        with suppress(InvalidRequest):
            assert route_body(raw, limits=LIMITS).prompt


def test_all_heads_are_asked_for_unless_some_are_named() -> None:
    assert classify_body({"input": " x "}, limits=LIMITS) == ClassifyBody(prompt="x", heads=HEADS)
    some = classify_body({"input": "x", "classes": ["domain", "difficulty"]}, limits=LIMITS)
    assert some.heads == ("difficulty", "domain")


@pytest.mark.parametrize("classes", [[], ["modality"], "domain", [1]])
def test_an_unknown_head_is_refused(classes: object) -> None:
    with pytest.raises(InvalidRequest) as caught:
        classify_body({"input": "", "classes": classes}, limits=LIMITS)
    assert {v.field.partition("[")[0] for v in caught.value.violations} == {"input", "classes"}
