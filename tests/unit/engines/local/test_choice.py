from __future__ import annotations

from dataclasses import replace

import pytest
from pointsman_server.core.model import CatalogModel
from pointsman_server.engines.local import artefact as files
from pointsman_server.engines.local.choice import (
    Scored,
    best_first,
    choose,
    expected_cost,
)
from pointsman_server.engines.local.curve import Curve
from pointsman_server.engines.local.outcome_rule import predicted_quality
from pointsman_server.engines.local.reading import OutcomeReader
from pointsman_server.engines.local.skills import SkillBook

LONG = "Which of these treaties ended the war, and why did it not last? " * 12


@pytest.fixture(scope="module")
def artefact() -> files.Artefact:
    return files.load()


def spread(artefact: files.Artefact, text: str, *, measured: bool, **moved: float) -> float:
    """How far apart two candidates are predicted to be on `text`."""
    known = [{"topic_scores": {"history": share}} for share in (0.6, 0.8)]
    pair = tuple(CatalogModel(public_id=str(at), router_id=str(at), **known[at]) for at in range(2))
    pool = replace(SkillBook(artefact).pool(pair), measured=measured)
    reading = replace(OutcomeReader(artefact).read(text), **moved)
    weak, strong = predicted_quality(reading, pool, with_difficulty=True)
    return strong - weak


@pytest.mark.parametrize(
    ("measured", "leverage", "length_leverage", "factor"),
    [(True, 0.5, 0.0, 1.5), (True, 0.0, 0.5, 1.0), (False, 0.0, 0.5, 1.5), (False, 0.5, 0.0, 1.0)],
)
def test_learnt_leverage_is_for_measured_skills_and_length_for_the_others(
    artefact: files.Artefact,
    measured: bool,
    leverage: float,
    length_leverage: float,
    factor: float,
) -> None:
    plain = spread(artefact, LONG, measured=measured, leverage=0.0, length_leverage=0.0)
    moved = spread(
        artefact, LONG, measured=measured, leverage=leverage, length_leverage=length_leverage
    )
    assert moved == pytest.approx(plain * factor, rel=1e-4)


def test_a_longer_text_has_more_leverage_within_bounds(artefact: files.Artefact) -> None:
    reader = OutcomeReader(artefact)
    found = [reader.read(LONG[:length]).length_leverage for length in (0, 200, 400, 700, 2_000)]
    assert found == sorted(set(found))
    assert found[0] == reader.read("Why?").length_leverage == -0.25
    assert reader.read(LONG * 100).length_leverage <= 0.625


def scored(name: str, quality: float, cost: float | None) -> Scored:
    return Scored(
        model=CatalogModel(public_id=name, router_id=name),
        quality=quality,
        cost=cost,
    )


GOOD, FAIR, POOR = scored("good", 0.9, 5.0), scored("fair", 0.86, 1.0), scored("poor", 0.5, 0.1)


@pytest.mark.parametrize(
    ("pool", "loss", "expected"),
    [
        ((POOR, FAIR, GOOD), 0.0, "good"),
        ((POOR, FAIR, GOOD), 0.02, "good"),
        ((POOR, FAIR, GOOD), 0.05, "fair"),
        ((POOR, FAIR, GOOD), 0.4, "poor"),
        ((POOR, FAIR, GOOD), 1.0, "poor"),
        # A tie goes to the cheaper one, and then to the first.
        ((scored("dear", 0.9, 2.0), scored("cheap", 0.9, 1.0)), 0.0, "cheap"),
        ((scored("first", 0.9, 1.0), scored("second", 0.9, 1.0)), 0.0, "first"),
        # A price that is not known is never taken for a low one.
        ((GOOD, scored("unpriced", 0.89, None)), 0.05, "good"),
        ((scored("a", 0.8, None), scored("b", 0.9, None)), 0.2, "b"),
    ],
)
def test_the_cheapest_within_the_bound_is_chosen(
    pool: tuple[Scored, ...], loss: float, expected: str
) -> None:
    assert choose(best_first(pool), loss=loss).model.public_id == expected


def test_cost_is_that_of_the_prompt_and_of_a_usual_answer() -> None:
    model = CatalogModel(public_id="m", input_price=2.0, output_price=10.0)
    assert expected_cost(model, chars=4_000, output_tokens=500) == pytest.approx(0.002 + 0.005)


@pytest.mark.parametrize("known", [{"input_price": 1.0}, {"output_price": 1.0}, {}])
def test_half_a_price_is_no_price(known: dict[str, float]) -> None:
    model = CatalogModel(public_id="m", **known)
    assert expected_cost(model, chars=100, output_tokens=100) is None


@pytest.mark.parametrize(
    ("x", "value"), [(-1.0, 0.2), (0.0, 0.2), (0.5, 0.5), (1.0, 0.8), (3.0, 0.8)]
)
def test_a_curve_runs_through_its_points_and_stays_level_beyond(x: float, value: float) -> None:
    assert Curve.of([[0.0, 1.0], [0.2, 0.8]])(x) == pytest.approx(value)


@pytest.mark.parametrize("points", [[[], []], [[0.0, 1.0], [0.5]]])
def test_a_curve_without_matching_points_is_refused(points: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="curve"):
        Curve.of(points)
