"""The bars of the engine, on held-out prompts. They run where POINTSMAN_DATA names the data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pointsman_server.engines.local import artefact as files

if TYPE_CHECKING:
    from training.bench import Row

pytestmark = pytest.mark.timeout(600)

BARS = [
    ("mmlu", "shipped model", 0.64),
    ("gsm8k", "shipped model", 0.60),
    ("mmlu", "ridge, half A to half B", 0.65),
    ("gsm8k", "ridge, half A to half B", 0.62),
    ("mmlu", "ridge, subjects left out", 0.60),
    ("mmlu_pro", "shipped model", 0.688),
    ("llm_router", "shipped model", 0.605),
    ("domain (user-oriented)", "shipped model", 0.80),
]


@pytest.fixture(scope="module")
def rows(data_folder: Path) -> dict[tuple[str, str], Row]:
    pytest.importorskip("sklearn", reason="the gates need the dependency group `train`")
    from training.evaluate import all_rows
    from training.samples import samples

    found = all_rows(files.load(), samples(data_folder), data_folder, bootstrap=False)
    return {(row.test, row.router): row for row in found}


@pytest.mark.parametrize(("test", "router", "bar"), BARS)
def test_the_bar_is_reached(
    rows: dict[tuple[str, str], Row], test: str, router: str, bar: float
) -> None:
    assert rows[test, router].value >= bar


def test_the_best_single_models_quality_costs_less(rows: dict[tuple[str, str], Row]) -> None:
    cost = rows["mmlu_pro", "shipped model"].more["cost at best single"]
    assert cost is not None
    assert cost <= 0.66


def test_the_artefact_is_a_few_megabytes() -> None:
    assert Path(files.__file__).with_name(files.SHIPPED).stat().st_size <= 4_000_000


def test_training_twice_gives_the_same_bytes(data_folder: Path) -> None:
    pytest.importorskip("sklearn", reason="the gates need the dependency group `train`")
    from training.fit import Recipe
    from training.samples import samples
    from training.train import build

    recipe = Recipe(hidden=8, topic_iterations=3, iterations=3)
    first, second = (
        files.dump(build(samples(data_folder, share=0.05), recipe=recipe)) for _ in range(2)
    )
    assert first == second
