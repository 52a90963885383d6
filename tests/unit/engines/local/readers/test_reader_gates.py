"""Bars of the readers.

The shipped weights have seen every labelled request. What generalises was measured by readers that
were trained in the same way without whole sources; training writes those figures into the headers,
and they are held to the bars here. On the data itself only sanity, crossed pairs and robustness are
measured.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pointsman_server.engines.local.readers import DefaultReader, default, robustness

ROOT = Path(__file__).parents[5]
SEMANTIC = ROOT / "packages/pointsman-semantic/pointsman_semantic"

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def reader() -> DefaultReader:
    return DefaultReader.load()


@pytest.mark.parametrize(
    ("figure", "least"),
    [
        ("spearman", 0.63),
        ("pairs", 0.74),
        ("heavy-light", 0.93),
        ("moderate-light", 0.82),
        ("written", 0.945),
        ("crossed", 0.94),
        ("light_passed", 0.70),
        ("heavy_recall", 0.22),
        ("sure", 0.22),
        ("sure_right", 0.93),
        ("domain", 0.79),
        ("turn", 0.90),
        ("accuracy", 0.66),
        ("needs_info", 0.72),
    ],
)
def test_held_out_sources_reach_the_bar(reader: DefaultReader, figure: str, least: float) -> None:
    assert reader.meta["held_out"][figure] >= least


@pytest.mark.parametrize(
    ("figure", "most"),
    [
        ("called_hard", 0.03),
        ("called_hard_abroad", 0.05),
        ("heavy_called_easy", 0.05),
        ("ece", 0.06),
    ],
)
def test_held_out_sources_stay_below_the_bar(
    reader: DefaultReader, figure: str, most: float
) -> None:
    assert reader.meta["held_out"][figure] <= most


def test_the_header_says_what_the_reader_was_made_of(reader: DefaultReader) -> None:
    assert {"data_sha256", "packages", "recipes", "held_out", "calibration"} <= set(reader.meta)


def test_the_artefact_is_a_few_megabytes() -> None:
    assert Path(default.__file__).with_name(default.SHIPPED).stat().st_size <= 6_000_000


def test_the_semantic_readers_files_are_small_enough_and_say_what_they_were_made_of() -> None:
    assert sum(path.stat().st_size for path in SEMANTIC.iterdir()) <= 25_000_000
    header: dict[str, Any] = json.loads((SEMANTIC / "header.json").read_text(encoding="utf-8"))
    assert {"data_sha256", "packages", "recipes", "held_out", "calibration"} <= set(header)


@pytest.fixture(scope="module")
def rows(data_folder: Path) -> list[Any]:
    pytest.importorskip("scipy", reason="the gates need the dependency group `train`")
    from training.effort.rows import labelled

    return labelled(data_folder)


def test_it_was_trained_on_this_data(reader: DefaultReader, data_folder: Path) -> None:
    from training.effort.rows import data_hash

    assert reader.meta["data_sha256"] == data_hash(data_folder)


def test_it_reads_the_data_as_it_was_labelled(reader: DefaultReader, rows: list[Any]) -> None:
    from training.effort.scores import table

    some = [row for row in rows if row.kind.startswith("crossed")] + rows[::8]
    found = table(some, np.array([reader.logits(row.text) for row in some]))
    assert found["spearman"] >= 0.7
    assert found["crossed"] >= 0.9


@pytest.fixture(scope="module")
def robust(reader: DefaultReader, rows: list[Any]) -> robustness.Robustness:
    return robustness.measure(reader, [row.text for row in rows[::20]])


def test_harmless_changes_rarely_change_a_label(robust: robustness.Robustness) -> None:
    assert {name: share for name, share in robust.flipped.items() if share > 0.04} == {}
    assert robust.mean_flipped <= 0.012


def test_asking_for_a_dearer_model_rarely_raises_a_label(robust: robustness.Robustness) -> None:
    assert robust.mean_raised <= 0.01
