"""Reading Morph's answer: what is valid, what is absent, and that nothing raises."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pointsman_server.core.model import EngineAnswer, Source
from pointsman_server.engines.morph import AMBIGUITIES, DIFFICULTIES, DOMAINS, MorphCodec
from support.builders import GPT, OPUS, SONNET, model, query

HEADS = (
    "difficulty",
    "confidence",
    "ambiguity",
    "ambiguity_confidence",
    "domain",
    "domain_confidence",
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=10,
)


def read(record, asked=None):
    return MorphCodec().decode(json.dumps(record).encode(), asked or query(OPUS, SONNET))


def sonnet(**heads):
    return read({"model": "claude-sonnet-4-6", **heads})


def test_a_whole_answer_is_read():
    assert sonnet(
        difficulty="hard",
        confidence=0.93,
        ambiguity="med",
        ambiguity_confidence=0.5,
        domain="coding",
        domain_confidence=1,
        provider="anthropic",
        anything={"else": []},
    ) == EngineAnswer(
        source=Source.MORPH,
        model=SONNET,
        router_model="claude-sonnet-4-6",
        difficulty="hard",
        confidence=0.93,
        ambiguity="med",
        ambiguity_confidence=0.5,
        domain="coding",
        domain_confidence=1.0,
    )


def test_the_model_alone_is_an_answer_without_heads():
    assert [getattr(sonnet(), head) for head in HEADS] == [None] * 6


def test_a_padded_model_is_trimmed():
    assert read({"model": " claude-sonnet-4-6\n"}).model == SONNET


@pytest.mark.parametrize(
    "name",
    ["gpt-5.5", "claude-haiku-4-5-20251001", SONNET, "Claude-Sonnet-4-6", "", " ", "claude"],
    ids=["not offered", "in the catalog", "a public id", "other case", "empty", "blank", "part"],
)
def test_a_model_that_this_request_did_not_offer_by_router_id_is_no_answer(name):
    assert read({"model": name}) is None


def test_the_model_is_mapped_back_through_this_requests_candidates():
    alias = model("z/alias", router_id=model(SONNET).router_id)
    asked = query(candidates=(model(OPUS), alias), default=model(OPUS))
    assert read({"model": "claude-sonnet-4-6"}, asked).model == "z/alias"


@pytest.mark.parametrize("value", [None, 7, True, ["claude-sonnet-4-6"], {"id": "x"}])
def test_a_model_that_is_no_text_is_no_answer(value):
    assert read({"model": value}) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b'"claude-sonnet-4-6"',
        b'["claude-sonnet-4-6"]',
        b"{}",
        b"7",
        b"<html>busy</html>",
        b'{"model": "claude-sonnet-4-6"',
        b'{"model": "claude-sonnet-4-6"} trailing',
        b'{"model": "claude-\xff"}',
        b"[" * 60_000,
        b'{"model":' * 7_000,
    ],
    ids=lambda body: ascii(body)[:24],
)
def test_a_body_that_is_no_object_with_a_model_is_no_answer(body):
    assert MorphCodec().decode(body, query()) is None


BAD = [None, "", "HARD", "impossible", " hard", 7, True, [], {}, ["hard"]]


@pytest.mark.parametrize("value", BAD, ids=repr)
@pytest.mark.parametrize("head", HEADS[::2])
def test_a_label_that_is_not_known_becomes_absent_and_the_model_stays(head, value):
    found = sonnet(**{head: value})
    assert (found.model, getattr(found, head)) == (SONNET, None)


@pytest.mark.parametrize(
    "raw",
    [
        "null",
        '"0.9"',
        "true",
        "false",
        "-0.01",
        "1.01",
        "NaN",
        "Infinity",
        "1e999",
        "[]",
        "{}",
        "9" * 400,
    ],
    ids=lambda raw: raw[:8],
)
@pytest.mark.parametrize("head", HEADS[1::2])
def test_a_confidence_out_of_range_becomes_absent_and_the_model_stays(head, raw):
    body = f'{{"model": "claude-sonnet-4-6", "difficulty": "easy", "{head}": {raw}}}'
    found = MorphCodec().decode(body.encode(), query())
    assert (found.model, found.difficulty, getattr(found, head)) == (SONNET, "easy", None)


@pytest.mark.parametrize("value", [0, 1, 0.0, 1.0, 0.5])
def test_the_ends_of_the_range_are_in_it(value):
    assert sonnet(confidence=value).confidence == value


@pytest.mark.parametrize(
    ("head", "label"),
    [
        (head, label)
        for head, labels in [
            ("difficulty", ("easy", "medium", "hard", "needs_info")),
            ("ambiguity", ("low", "med", "high")),
            ("domain", ("general", "summary", "coding", "design", "data")),
        ]
        for label in labels
    ],
)
def test_every_label_of_the_vendor_is_known(head, label):
    assert getattr(sonnet(**{head: label}), head) == label


def test_one_bad_head_leaves_the_others():
    found = sonnet(difficulty=None, confidence=0.5, domain="data", ambiguity=7)
    assert (found.difficulty, found.confidence, found.domain, found.ambiguity) == (
        None,
        0.5,
        "data",
        None,
    )


@given(st.binary(max_size=200))
@example(b"\xef\xbb\xbf{}")
@example(b"\x00")
def test_bytes_never_raise(body):
    assert MorphCodec().decode(body, query()) is None


@given(json_values)
def test_json_never_raises(record):
    found = read(record)
    assert found is None or found.model in (OPUS, SONNET)


@given(
    st.sampled_from(["claude-opus-4-8", "gpt-5.5"]),
    st.dictionaries(st.sampled_from(HEADS), json_values),
)
def test_whatever_the_heads_hold_a_valid_model_is_an_answer_with_valid_heads(name, heads):
    found = read({**heads, "model": name}, query(OPUS, GPT))
    assert found.router_model == name
    known = (DIFFICULTIES, AMBIGUITIES, DOMAINS)
    for label, sure, labels in zip(HEADS[::2], HEADS[1::2], known, strict=True):
        assert getattr(found, label) is None or getattr(found, label) in labels
        assert getattr(found, sure) is None or 0 <= getattr(found, sure) <= 1
