from __future__ import annotations

from typing import Any

import pytest
from pointsman_server.core.errors import ArtefactInvalid
from pointsman_server.engines.local.readers.calibration import Calibration

META: dict[str, Any] = {
    "above": [[1.0, 0.0]] * 4,
    "domain_temperature": 1.0,
    "needs_info": [1.0, 0.0],
    "turn": [1.0, 0.0],
    "hard": 0.4,
    "easy": 0.6,
    "easy_below": 0.1,
}
OTHERS = [0.0, 0.0, 5.0, 0.0, 0.0, -3.0, 3.0]


def label(*above: float) -> str:
    return Calibration.of(META).estimate([*above, *OTHERS]).difficulty


def test_labels_go_by_thresholds_and_not_by_the_largest_probability() -> None:
    assert label(5.0, 2.0, -0.3, -3.0) == "hard"  # P(hard) = 0.43, and P(medium) = 0.45
    assert label(-5.0, -5.0, -5.0, -5.0) == "easy"
    assert label(0.0, -0.6, -1.0, -5.0) == "medium"  # P(easy) = 0.65, but P(hard) = 0.27
    assert label(3.0, 2.0, -3.0, -5.0) == "medium"


def test_levels_never_grow_more_likely_upwards() -> None:
    found = Calibration.of(META).estimate([-2.0, 2.0, -1.0, 3.0, *OTHERS])
    assert all(share >= 0.0 for share in found.effort)
    assert sum(found.effort) == pytest.approx(1.0)


def test_the_other_heads_are_probabilities() -> None:
    found = Calibration.of(META).estimate([0.0] * 4 + OTHERS)
    assert found.domain == "coding"
    assert found.domain_confidence > 0.9
    assert found.needs_info < 0.1
    assert found.turn > 0.9


@pytest.mark.parametrize(
    "change",
    [
        {"above": [[1.0, 0.0]] * 3},
        {"above": [[1.0]] * 4},
        {"hard": "often"},
        {"domain_temperature": 0.0},
        {"turn": None},
    ],
)
def test_a_calibration_that_cannot_be_meant_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ArtefactInvalid):
        Calibration.of(META | change)


@pytest.mark.parametrize("name", sorted(META))
def test_every_part_is_needed(name: str) -> None:
    with pytest.raises(ArtefactInvalid):
        Calibration.of({key: value for key, value in META.items() if key != name})
