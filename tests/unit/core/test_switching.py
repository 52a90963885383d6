"""The arithmetic of a switch, and who is more capable."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pointsman_server.core.model import Constraints, RankedModel, SwitchRules
from pointsman_server.core.switching import (
    context_tokens,
    is_more_capable,
    raised_level,
    switch_cost,
)
from support.builders import GEMINI, OPUS, answer, model, request

RULES = SwitchRules()
DEAR = model(OPUS, input_price=5.0, output_price=25.0)
CHEAP = model(GEMINI, input_price=2.0, output_price=12.0)


@pytest.mark.parametrize(
    ("tokens", "stay", "switch", "saves"),
    [(2_000, 0.054, 0.0292, True), (80_000, 0.210, 0.232, False), (0, 0.050, 0.024, True)],
)
def test_the_costs_of_the_next_turns_count_the_lost_prompt_cache(tokens, stay, switch, saves):
    cost = switch_cost(DEAR, CHEAP, tokens=tokens, rules=RULES)
    assert (cost.stay, cost.switch) == (pytest.approx(stay), pytest.approx(switch))
    assert cost.saves(0.2) is saves


def test_a_price_of_cached_input_takes_the_place_of_a_tenth():
    cached = model(OPUS, input_price=5.0, output_price=25.0, cached_input_price=2.5)
    assert switch_cost(cached, CHEAP, tokens=1_000, rules=RULES).stay == pytest.approx(0.06)


def test_without_prices_there_is_no_cost():
    assert switch_cost(model(OPUS), CHEAP, tokens=10, rules=RULES) is None


PRICES = st.floats(0.01, 100)


@given(st.integers(0, 2_000_000), st.integers(1, 50), PRICES, PRICES, st.floats(0, 1))
@example(0, 3, 1.0, 0.29, 0.1)
@example(1_000, 3, 1.1, 0.34, 1.0)
def test_no_model_is_cheaper_than_itself(tokens, turns, price, out, cached):
    same = model(OPUS, input_price=price, output_price=out, cached_input_price=cached * price)
    cost = switch_cost(same, same, tokens=tokens, rules=SwitchRules(turns_ahead=turns))
    assert not cost.saves(0.0)


@given(st.integers(0, 1_000_000), st.integers(0, 1_000_000))
def test_more_context_never_makes_a_switch_look_better(one, other):
    small, large = sorted((one, other))
    gain = [
        (c := switch_cost(DEAR, CHEAP, tokens=t, rules=RULES)).stay - c.switch
        for t in (small, large)
    ]
    assert gain[1] <= gain[0] + 1e-12


def test_context_is_the_estimate_else_a_quarter_of_the_bodys_bytes():
    estimate = Constraints(prompt_tokens_estimate=70)
    assert context_tokens(request(constraints=estimate, body_bytes=4_000)) == 70
    assert context_tokens(request(body_bytes=4_000)) == 1_000


def ranked(**scores):
    return answer(OPUS, ranking=tuple(RankedModel(model=m, score=s) for m, s in scores.items()))


@pytest.mark.parametrize(
    ("fresh", "than", "scores", "more"),
    [
        (DEAR, CHEAP, {}, True),
        (CHEAP, DEAR, {}, False),
        (CHEAP, DEAR, {GEMINI: 0.9, OPUS: 0.8}, True),
        (DEAR, CHEAP, {GEMINI: 0.9, OPUS: 0.8}, False),
        (model(OPUS, capability=0.5), model(GEMINI, capability=0.9), {}, False),
        (model(OPUS, heavy={"coding": 0.7}), model(GEMINI, heavy={"coding": 0.5}), {}, True),
        (model(OPUS, heavy={"coding": 0.4}), model(GEMINI, heavy={"coding": 0.5}), {}, False),
        (model(OPUS), model(GEMINI), {}, True),
    ],
)
def test_who_is_more_capable(fresh, than, scores, more):
    assert is_more_capable(fresh, than, answer=ranked(**scores)) is more


@pytest.mark.parametrize(
    ("levels", "effort", "score", "steps"),
    [
        (("low", "medium", "high"), 1.5, 0.85, 1),
        (("low", "medium", "high"), 1.5, 0.83, 2),
        (("low", "medium", "high"), 1.5, 0.80, None),
        (("low", "medium", "high"), 4.5, 0.85, None),
        ((), 1.5, 0.85, None),
        ((), 1.5, 0.88, 0),
    ],
)
def test_how_far_the_reasoning_effort_has_to_rise(levels, effort, score, steps):
    standing = model(GEMINI, reasoning_efforts=levels)
    found = raised_level(
        standing, effort=effort, answer=ranked(**{OPUS: 0.9, GEMINI: score}), loss=0.03
    )
    assert found == steps
