"""A fresh answer against an incumbent: how sure is sure enough where classes have probabilities."""

from __future__ import annotations

import pytest
from pointsman_server.core.effort import confidence_above, confidence_within
from pointsman_server.core.incumbent import Incumbent
from pointsman_server.core.model import Source, SwitchReason, SwitchRules
from pointsman_server.core.weighing import weigh
from support.builders import GEMINI, OPUS, answer, model, request

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
