"""Sides that take turns, round by round, between two that are the same: the A/A control.

A round counts only if its control lies within 0.9 to 1.1, since else it says more about the
machine than about the server. It is repeated: up to twice as many are played as are wanted.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.bars import Series

LEAST, MOST = 0.9, 1.1
REPEATS = 2


@dataclass(frozen=True, slots=True)
class Played:
    """Rounds that count, a column a side, the first and the last being the control's."""

    rows: Sequence[Sequence[float]]
    tried: int

    def over_control(self, side: int) -> Series:
        """Ratios of a side to the mean of both controls."""
        return self._series([row[side] / _control(row) for row in self.rows])

    def over(self, side: int, other: int) -> Series:
        """Ratios of a side to another one."""
        return self._series([row[side] / row[other] for row in self.rows])

    def beyond_control(self, side: int) -> Series:
        """What a side has more than the mean of both controls."""
        return self._series([row[side] - _control(row) for row in self.rows])

    def _series(self, values: Sequence[float]) -> Series:
        controls = [row[-1] / row[0] for row in self.rows]
        return Series(values, controls=controls, tried=self.tried)


def play(rounds: int, sides: Sequence[Callable[[], float]]) -> Played:
    """Measure every side in turn until `rounds` count; the order turns every round."""
    rows: list[list[float]] = []
    tried = 0
    while len(rows) < rounds and tried < REPEATS * rounds:
        order = range(len(sides)) if tried % 2 == 0 else range(len(sides) - 1, -1, -1)
        seen = {side: sides[side]() for side in order}
        row = [seen[side] for side in range(len(sides))]
        tried += 1
        if LEAST <= row[-1] / row[0] <= MOST:
            rows.append(row)
    return Played(rows, tried)


def _control(row: Sequence[float]) -> float:
    return statistics.mean((row[0], row[-1]))
