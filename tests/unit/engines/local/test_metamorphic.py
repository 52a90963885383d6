from __future__ import annotations

import pytest
from pointsman_server.engines.local import LocalEngine

from training import metamorphic

BOUNDS = {
    "quoting": 0.0,
    "full stop": 0.0,
    "system-like wrapper": 0.0,
    "whitespace": 0.04,
    "line breaks": 0.04,
    "lower case": 0.15,
}
"""The largest share of decisions that a change may flip; the pool is chosen to be close."""

BOUND = 0.35
"""For changes that add words."""


@pytest.mark.parametrize("policy", ["capability_heavy", "balanced", "cost_efficient"])
def test_harmless_changes_rarely_change_the_decision(engine: LocalEngine, policy: str) -> None:
    found = metamorphic.flips(engine, metamorphic.prompts(), policy=policy)
    bounds = {name: BOUNDS.get(name, BOUND) for name in found}
    assert {n: r.model for n, r in found.items() if r.model > bounds[n]} == {}


def test_asking_for_the_best_model_does_not_buy_it(engine: LocalEngine) -> None:
    found = metamorphic.flips(engine, metamorphic.prompts(), policy="balanced")
    assert found["asks for the best"].dearer <= 0.05
