"""Picks of a tier over all requests: none is left out that a request could get."""

from __future__ import annotations

from typing import Any

import pytest
from pointsman_server.core.model import CatalogModel
from pointsman_server.engines.local.skills import CAPABILITY_SPAN, SIZE_SCORE
from pointsman_server.policies.possible_picks import compared, possible_picks


def model(name: str, prices: tuple[float, float] | None, **figures: Any) -> CatalogModel:
    input_price, output_price = prices or (None, None)
    return CatalogModel(
        public_id=name,
        router_id=name,
        input_price=input_price,
        output_price=output_price,
        **figures,
    )


def picks(*models: CatalogModel, free: frozenset[str] = frozenset()) -> set[str]:
    return possible_picks(models, loss=0.05, policy="balanced", free=free)


def test_the_hardest_requests_get_the_best_of_two_that_differ_by_little() -> None:
    large = model("large", (5, 25), routine=0.9, heavy={"coding": 0.505})
    small = model("small", (1, 5), routine=0.9, heavy={"coding": 0.5})
    assert picks(large, small) == {"large", "small"}


def test_long_answers_may_make_another_model_the_cheapest() -> None:
    figures: dict[str, Any] = {"routine": 0.9, "heavy": {"coding": 0.5}}
    one, two = model("one", (10, 1), **figures), model("two", (1, 3), **figures)
    assert picks(one, two) == {"one", "two"}


def test_a_request_between_two_domains_may_get_a_model_that_neither_would() -> None:
    both = model("both", (5, 25), routine=0.9, heavy={"coding": 0.5, "knowledge": 0.5})
    coder = model("coder", (5, 25), routine=0.9, heavy={"coding": 0.6, "knowledge": 0.2})
    scholar = model("scholar", (5, 25), routine=0.9, heavy={"coding": 0.2, "knowledge": 0.6})
    assert picks(both, coder, scholar) == {"both", "coder", "scholar"}


def test_an_unknown_price_is_low_only_where_it_is_said_to_be() -> None:
    large = model("large", (5, 25), routine=0.9, heavy={"coding": 0.5})
    alike = model("alike", None, routine=0.9, heavy={"coding": 0.5})
    assert picks(large, alike) == {"large"}
    assert picks(large, alike, free=frozenset({"alike"})) == {"alike"}


@pytest.mark.parametrize(("size", "score"), SIZE_SCORE.items())
def test_a_size_counts_as_the_engine_counts_it(size: str, score: float) -> None:
    found = compared([model("m", None, size=size)], policy="balanced")
    assert found == {"m": {"capability": score}}


@pytest.mark.parametrize("capability", [0.0, 0.4, 1.0])
def test_a_capability_counts_as_the_engine_counts_it(capability: float) -> None:
    least, most = CAPABILITY_SPAN
    found = compared([model("m", None, capability=capability)], policy="balanced")
    assert found["m"]["capability"] == pytest.approx(least + capability * (most - least))
