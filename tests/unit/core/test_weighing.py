"""A fresh answer against an incumbent: how sure is sure enough where classes have probabilities."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pointsman_server.core.effort import confidence_above, confidence_within, is_hardest
from pointsman_server.core.incumbent import Incumbent
from pointsman_server.core.model import (
    Constraints,
    RankedModel,
    Source,
    SwitchReason,
    SwitchRules,
)
from pointsman_server.core.weighing import nothing_moves, weigh
from support.builders import GEMINI, OPUS, SONNET, answer, model, prompt, request

CHEAP = model(GEMINI, input_price=2.0, output_price=12.0)
DEAR = model(OPUS, input_price=5.0, output_price=25.0)


def weighed(fresh, on, *, effort):
    return weigh(
        fresh,
        Incumbent(on, effort, Source.LOCAL),
        request=request(),
        candidates=(DEAR, CHEAP),
        rules=SwitchRules(),
        loss=0.0,
    )


def read(name, *, difficulty, effort, shares, confidence):
    return answer(
        name, difficulty=difficulty, effort=effort, difficulties=shares, confidence=confidence
    )


@pytest.mark.parametrize(
    ("shares", "switch"),
    [((0.1, 0.45, 0.45), SwitchReason.UPGRADE), ((0.45, 0.35, 0.2), None)],
    ids=["medium or hard, one as likely as the other", "perhaps easy"],
)
def test_a_prompt_that_surely_takes_more_moves_up(shares, switch):
    fresh = read(OPUS, difficulty="hard", effort=3.6, shares=shares, confidence=0.45)
    assert weighed(fresh, CHEAP, effort=1.4).switch is switch


@pytest.mark.parametrize(
    ("shares", "switch"),
    [((0.55, 0.4, 0.05), SwitchReason.SAVING), ((0.1, 0.3, 0.6), None)],
)
def test_a_prompt_that_surely_takes_no_more_may_save(shares, switch):
    fresh = read(GEMINI, difficulty="medium", effort=2.6, shares=shares, confidence=0.4)
    assert weighed(fresh, DEAR, effort=4.5).switch is switch


def test_without_probabilities_the_confidence_counts():
    fresh = answer(OPUS, difficulty="hard", confidence=0.5)
    assert weighed(fresh, CHEAP, effort=1.4).switch is None
    sure = answer(OPUS, difficulty="hard", confidence=0.9)
    assert weighed(sure, CHEAP, effort=1.4).switch is SwitchReason.UPGRADE
    assert confidence_above(sure, 1.0) == confidence_within(sure) == 0.9


def test_classes_add_up():
    fresh = read(OPUS, difficulty="medium", effort=3.0, shares=(0.2, 0.5, 0.3), confidence=0.5)
    assert confidence_above(fresh, 1.0) == pytest.approx(0.8)
    assert confidence_above(fresh, 3.0) == pytest.approx(0.3)
    assert confidence_above(fresh, 5.0) == 0
    assert confidence_within(fresh) == pytest.approx(0.7)


# ---------------------------------------------------------------- where no engine is called

NAMES = (OPUS, SONNET, GEMINI)
PRICES = st.sampled_from([None, 0.0, 0.5, 3.0, 25.0])
LEVELS = st.sampled_from([(), ("high",), ("low", "high")])
SAID = [
    answer(name, difficulty=difficulty, effort=effort, confidence=confidence, ranking=ranking)
    for name in NAMES
    for difficulty in (None, "easy", "medium", "hard", "needs_info")
    for effort in (None, 1.0, 3.7, 3.8, 5.0)
    for confidence in (None, 0.3, 1.0)
    for ranking in ((), tuple(RankedModel(model=n, score=float(n == name)) for n in NAMES))
]
"""Every kind of answer that an engine may give."""


@st.composite
def catalogs(draw):
    """Models with any prices, some of them unknown."""
    return tuple(
        model(
            name,
            input_price=draw(PRICES),
            output_price=draw(PRICES),
            cached_input_price=draw(PRICES),
            reasoning_efforts=draw(LEVELS),
        )
        for name in NAMES
    )


@settings(max_examples=60, deadline=None)
@given(
    models=catalogs(),
    effort=st.sampled_from([None, 1.5, 3.7, 3.8, 4.5, 5.0]),
    tokens=st.sampled_from([0, 1_000, 80_000]),
    reset=st.booleans(),
    rules=st.builds(
        SwitchRules,
        turns_ahead=st.sampled_from([1, 4, 20]),
        saving_margin=st.sampled_from([0.0, 0.2]),
        context_lock_tokens=st.sampled_from([None, 10_000]),
        upgrade_confidence=st.sampled_from([0.0, 0.6]),
    ),
)
def test_where_no_engine_is_called_no_answer_moves_the_conversation(
    models, effort, tokens, reset, rules
):
    incumbent = Incumbent(models[0], effort, Source.LOCAL, compared=True)
    asked = request(
        prompt=prompt("Sort the imports", context_reset=reset),
        constraints=Constraints(prompt_tokens_estimate=tokens),
    )
    given_these = {"request": asked, "candidates": models, "rules": rules}
    found = [weigh(said, incumbent, loss=0.02, **given_these) for said in SAID]
    if nothing_moves(incumbent, **given_these):
        assert {(w.answer.model, w.switch) for w in found} == {(OPUS, None)}
        assert all(is_hardest(w.effort) for w in found)
    elif len(models[0].reasoning_efforts) < 2:
        # The engine is called for a reason: an answer moves the conversation, or its effort.
        assert any(w.switch or w.effort != effort for w in found)
