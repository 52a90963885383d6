"""The trace has the published shape, and says the same for the same seed."""

from __future__ import annotations

from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.trace import Shape, make_trace

SHAPES = st.builds(
    Shape,
    requests=st.integers(200, 400),
    inputs=st.integers(1, 200),
    seconds=st.floats(1, 600),
    inputs_per_conversation=st.floats(1, 50),
    pause=st.floats(0.1, 100),
    at_once=st.floats(0, 1),
)


@given(SHAPES, st.integers())
def test_a_trace_has_the_requests_the_inputs_and_the_seconds_of_its_shape(shape, seed):
    trace = make_trace(shape, seed=seed)
    assert len(trace) == shape.requests
    assert len({ask.input for ask in trace}) == shape.inputs
    assert [ask.at for ask in trace] == sorted(ask.at for ask in trace)
    assert trace[0].at >= 0
    assert trace[-1].at <= shape.seconds * (1 + 1e-9)


@given(SHAPES, st.integers())
def test_a_conversation_asks_one_input_after_the_other_and_shares_none(shape, seed):
    trace = make_trace(shape, seed=seed)
    asked = sorted(trace, key=lambda ask: ask.conversation)
    for _, asks in groupby(asked, key=lambda ask: ask.conversation):
        inputs = [ask.input for ask in asks]
        assert inputs == sorted(inputs)
    assert len({(ask.conversation, ask.input) for ask in trace}) == shape.inputs


def test_the_shape_as_published_repeats_68_percent_of_its_inputs():
    assert Shape().repeated == pytest.approx(0.68, abs=0.005)


def test_the_same_seed_makes_the_same_trace_and_another_one_another():
    first, again, other = (make_trace(Shape(), seed=seed) for seed in (1, 1, 2))
    assert first == again != other
