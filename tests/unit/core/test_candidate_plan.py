"""What follows from a routing context alone, and how much of it is remembered."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.core import candidate_plan as plans
from pointsman_server.core.candidate_plan import LONGEST_REMEMBERED, REMEMBERED, Planner
from pointsman_server.core.candidates import select
from pointsman_server.core.model import NO_CONSTRAINTS, Constraints
from support.builders import OPUS, SONNET, catalog, model, routing, rules

WINDOWS = (8_000, 128_000, 200_000, None)
MODELS = [model(f"x/{number}", context_window=window) for number, window in enumerate(WINDOWS)]
NAMES = tuple(m.public_id for m in MODELS)
TOKENS = st.one_of(st.integers(0, 2**32 - 1), *map(st.just, (0, 8_000, 8_001, 200_000, 200_001)))


def estimating(tokens: int) -> Constraints:
    return Constraints(prompt_tokens_estimate=tokens)


@pytest.fixture
def thought(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Selections that were made anew."""
    made: list[Any] = []

    def counted(ids: Any, **rest: Any) -> Any:
        made.append(ids)
        return select(ids, **rest)

    monkeypatch.setattr(plans, "select", counted)
    return made


@given(TOKENS)
def test_a_plan_is_that_of_the_very_estimate(tokens: int) -> None:
    known = rules(catalog=catalog(*MODELS))
    plan = Planner(known).plan(routing(*NAMES), estimating(tokens), ("local",))
    assert plan is not None
    assert plan.selection == select(NAMES, rules=known, constraints=estimating(tokens))


@pytest.mark.parametrize("models", [MODELS, [*MODELS[3:], model("x/5", context_window=None)]])
def test_estimates_that_fit_the_same_models_have_one_plan(models: Any, thought: list[Any]) -> None:
    planner = Planner(rules(catalog=catalog(*models)))
    names = tuple(m.public_id for m in models)
    for tokens in range(8_001, 128_001, 7_919):
        assert planner.plan(routing(*names), estimating(tokens), ("local",)) is not None
    assert len(thought) == 1


def test_a_plan_is_thought_through_once(thought: list[Any]) -> None:
    planner = Planner(rules())
    first = planner.plan(routing(), NO_CONSTRAINTS, ("local",))
    assert planner.plan(routing(), NO_CONSTRAINTS, ("local",)) is first
    assert len(thought) == 1


@pytest.mark.parametrize("where", ["candidates", "denied"])
def test_a_context_of_many_long_names_is_not_remembered(where: str, thought: list[Any]) -> None:
    long = tuple(f"x/{number:0250}" for number in range(LONGEST_REMEMBERED // 250 + 1))
    asked = routing(OPUS, SONNET, *(long if where == "candidates" else ()))
    constraints = Constraints(denied_models=frozenset(long if where == "denied" else ()))
    planner = Planner(rules())
    twice = [planner.plan(asked, constraints, ("local",)) for _ in range(2)]
    assert twice[0] == twice[1]
    assert len(thought) == 2


def test_no_more_plans_are_remembered_than_the_bound(thought: list[Any]) -> None:
    planner = Planner(rules())
    for _ in range(2):
        for number in range(REMEMBERED + 1):
            asked = routing(OPUS, SONNET, f"x/{number}")
            assert planner.plan(asked, NO_CONSTRAINTS, ("local",)) is not None
    assert len(thought) == 2 * (REMEMBERED + 1)
