"""What the cache holds: answers as bytes and back; whatever else is there is no answer."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman.v1 import route_decision_pb2 as pb
from pointsman_server.core.decision_record import CachedDecisionDetail
from pointsman_server.core.model import RankedModel, Source
from pointsman_server.transport.fast_path.answer_codec import (
    TEMPLATE_KEY_BYTES,
    WireCodec,
    answer_at,
    detail_of,
    template_key_of,
)
from support.builders import SONNET, answer

shares = st.none() | st.floats(0, 1)
labels = st.none() | st.text("abc_", min_size=1, max_size=8)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
answers = st.builds(
    answer,
    names,
    source=st.sampled_from(Source),
    router_model=names,
    difficulty=labels,
    confidence=shares,
    ambiguity=labels,
    ambiguity_confidence=shares,
    domain=labels,
    domain_confidence=shares,
    effort=st.none() | st.floats(1, 5),
    ranking=st.lists(
        st.builds(
            RankedModel,
            model=names,
            score=st.none() | st.integers(0, 10_000).map(lambda n: n / 10_000),
            estimated_cost=st.none() | st.floats(0, 1_000),
        ),
        max_size=3,
    ).map(tuple),
    explanation=st.none() | names,
)
CODEC = WireCodec()
WHOLE = CODEC.dump(answer(ranking=(RankedModel(model=SONNET, score=0.5),)))


@given(answers)
def test_an_answer_comes_back_as_it_was_marked_as_cached(given_answer):
    assert CODEC.load(CODEC.dump(given_answer)) == replace(given_answer, cached=True)


@given(answers)
def test_the_individual_fields_of_a_cached_answer_are_read_from_its_bytes(given_answer):
    raw = CODEC.dump(given_answer)
    names = CachedDecisionDetail._fields
    assert detail_of(raw[answer_at(raw) :]) == tuple(getattr(given_answer, n) for n in names)
    assert detail_of(b"\xff") == (None,) * len(names)


def test_the_failures_of_the_request_that_made_it_do_not_come_back():
    stored = replace(answer(), failures=("anything",))
    assert CODEC.load(CODEC.dump(stored)).failures == ()


def test_scores_keep_four_decimals():
    stored = replace(answer(), ranking=(RankedModel(model=SONNET, score=0.123456),))
    assert CODEC.load(CODEC.dump(stored)).ranking[0].score == 0.1235


@pytest.mark.parametrize(
    "raw", [b"", b"\0\0\0\0", b"null", WHOLE[:TEMPLATE_KEY_BYTES], b"\xff" * 200_000]
)
def test_bytes_that_are_no_answer_read_as_none(raw):
    assert CODEC.load(raw) is None


@given(
    st.binary(max_size=64)
    | st.integers(0, len(WHOLE) - 1).map(lambda length: WHOLE[:length])
    | st.binary(max_size=8).map(WHOLE.__add__)
)
def test_whatever_is_read_is_an_answer_or_none_and_never_raises(raw):
    found = CODEC.load(raw)
    assert found is None or (found.model and found.router_model)


@pytest.mark.parametrize(
    "kept",
    [
        pb.Decision(model="m", router_model="r"),
        pb.Decision(source=99, model="m", router_model="r"),
        pb.Decision(source=pb.SOURCE_LOCAL, router_model="r"),
        pb.Decision(source=pb.SOURCE_LOCAL, model="m"),
    ],
    ids=["no source", "unknown source", "no model", "no router model"],
)
def test_an_answer_that_is_not_whole_is_none(kept):
    assert CODEC.load(bytes(TEMPLATE_KEY_BYTES) + kept.SerializeToString()) is None


@given(answers, answers)
def test_answers_of_one_shape_differ_in_nothing_that_is_made_of_them(one, other):
    def facts(found):
        models = [r.model for r in found.ranking]
        return found.source, found.model, found.router_model, found.difficulty, models

    assert (template_key_of(one) == template_key_of(other)) == (facts(one) == facts(other))


@pytest.mark.parametrize(
    "change",
    [
        {"source": Source.LOCAL},
        {"model": "another"},
        {"router_model": "another"},
        {"difficulty": "needs_info"},
        {"ranking": (RankedModel(model="another"),)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_decides_over_the_rest_of_a_response_is_part_of_the_shape(change):
    assert template_key_of(replace(answer(), **change)) != template_key_of(answer())
