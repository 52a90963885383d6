"""Only the value of the top-level `model` changes: every other byte stays."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_extproc.body import read_body

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: (
        st.lists(inner) | st.dictionaries(TEXTS | st.just("model"), inner)
    ),
    max_leaves=12,
)  # fmt: skip
BLANKS = st.text(" \t\r\n", max_size=3)
MODEL_KEYS = st.sampled_from(['"model"', r'"mod\u0065l"', r'"\u006dodel"'])


@st.composite
def members(draw: st.DrawFn) -> list[str]:
    """Members as they may stand in a body, none of them `model`; blanks and escapes vary."""
    names = draw(st.lists(TEXTS.filter(lambda name: name != "model"), unique=True, max_size=4))
    return [
        json.dumps(name, ensure_ascii=draw(st.booleans()))
        + draw(BLANKS) + ":" + draw(BLANKS)
        + json.dumps(
            draw(VALUES), ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 1]))
        )
        for name in names
    ]  # fmt: skip


@st.composite
def bodies(draw: st.DrawFn) -> tuple[str, str, str]:
    """A body in three pieces: before the value of `model`, the value, after it."""
    before, after = draw(members()), draw(members())
    named = {json.loads(f"{{{each}}}").popitem()[0] for each in before}
    after = [each for each in after if json.loads(f"{{{each}}}").popitem()[0] not in named]
    comma = draw(BLANKS) + "," + draw(BLANKS)
    head = draw(BLANKS) + "{" + draw(BLANKS) + "".join(each + comma for each in before)
    head += draw(MODEL_KEYS) + draw(BLANKS) + ":" + draw(BLANKS)
    tail = "".join(comma + each for each in after) + draw(BLANKS) + "}" + draw(BLANKS)
    return head, json.dumps(draw(TEXTS), ensure_ascii=draw(st.booleans())), tail


@given(pieces=bodies(), model=TEXTS)
def test_only_the_model_changes(pieces: tuple[str, str, str], model: str) -> None:
    head, value, tail = pieces
    body = read_body(f"{head}{value}{tail}".encode())
    assert body is not None
    assert body.model == json.loads(value)
    assert body.document == json.loads(f"{head}{value}{tail}")
    written = body.with_model(model)
    assert written.startswith(head.encode())
    assert written.endswith(tail.encode())
    assert json.loads(written[len(head.encode()) : len(written) - len(tail.encode())]) == model


@given(raw=st.binary() | TEXTS.map(str.encode) | VALUES.map(lambda v: json.dumps(v).encode()))
def test_what_is_no_body_is_none_and_never_an_error(raw: bytes) -> None:
    body = read_body(raw)
    assert body is None or json.loads(raw)["model"] == body.model


@given(pieces=bodies(), at=st.integers(min_value=0), junk=st.sampled_from(["", "}", '"', ",", "x"]))
def test_it_takes_no_body_that_a_parser_refuses(
    pieces: tuple[str, str, str], at: int, junk: str
) -> None:
    text = "".join(pieces)
    cut = at % (len(text) + 1)
    broken = text[:cut] + junk + text[cut + 1 :]
    body = read_body(broken.encode())
    assert body is None or body.document == json.loads(broken)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"model": "a", "model": "b"}',
        rb'{"model": "a", "mod\u0065l": "a"}',
        b'{"model": 7}',
        b'{"model": null}',
        b'{"other": {"model": "a"}}',
        b'["model", "a"]',
        b'{"model": "a"} {}',
        b'{"model": "a",}',
        b'{"model": "a"',
        b"{model: 1}",
        b"",
        b"{",
        b"\xff\xfe",
        b'\xef\xbb\xbf{"model": "a"}',
        b'{"model": "\xc3\x28"}',
        b'{"model": "a", "n": ' + b"9" * 5_000 + b"}",
        b'{"model": "a", "deep": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_nobody_edits_what_is_not_one_object_with_one_model(raw: bytes) -> None:
    assert read_body(raw) is None


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b'{"model":"a"}', b'{"model":"vendor/b"}'),
        (b'{"x":{"model":"a"},"model":"a"}', b'{"x":{"model":"a"},"model":"vendor/b"}'),
        (
            '{"model":"☕","s":"\\u2615☕"}'.encode(),
            '{"model":"vendor/b","s":"\\u2615☕"}'.encode(),
        ),
        (b'{"n":1.0,"model":"a","m":1e400}', b'{"n":1.0,"model":"vendor/b","m":1e400}'),
        (rb'{"s":"\ud83d","model":"a"}', rb'{"s":"\ud83d","model":"vendor/b"}'),
        (b'\r\n{\t"model" : "a" }\n', b'\r\n{\t"model" : "vendor/b" }\n'),
    ],
)
def test_bodies_keep_their_bytes(raw: bytes, expected: bytes) -> None:
    body: Any = read_body(raw)
    assert body.with_model("vendor/b") == expected
