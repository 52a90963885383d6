"""Interleave the sides of a comparison, round by round, with an A/A control of two equal sides.

A round counts only if its control lies within 0.9 to 1.1, since else it says more about the
machine than about the server. It is repeated: up to twice as many are played as are wanted, or as
many as there is time for.
"""

from __future__ import annotations

import math
import statistics
import time
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
        """The excess of a side over the mean of both controls."""
        return self._series([row[side] - _control(row) for row in self.rows])

    def _series(self, values: Sequence[float]) -> Series:
        controls = [row[-1] / row[0] for row in self.rows]
        return Series(values, controls=controls, tried=self.tried)


class Rounds:
    """The number of rounds of each comparison, and the time limit of all of them together."""

    def __init__(
        self,
        wanted: int,
        *,
        seconds: float = math.inf,
        sides: int = 0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`seconds` from here on, for comparisons that have so many `sides` in all."""
        self.wanted = wanted
        self._now = now
        self._ends = now() + seconds
        self._sides = sides

    def play(self, sides: Sequence[Callable[[], float]]) -> Played:
        """Measure every side in turn until enough rounds count; the order turns every round.

        None but the first begins that would not end within this comparison's share of the time.
        """
        rows: list[list[float]] = []
        tried, longest = 0, 0.0
        ends = self._now() + self._share(len(sides))
        while len(rows) < self.wanted and tried < REPEATS * self.wanted:
            began = self._now()
            if tried and began + longest > ends:
                break
            order = range(len(sides)) if tried % 2 == 0 else range(len(sides) - 1, -1, -1)
            seen = {side: sides[side]() for side in order}
            row = [seen[side] for side in range(len(sides))]
            longest = max(longest, self._now() - began)
            tried += 1
            if LEAST <= row[-1] / row[0] <= MOST:
                rows.append(row)
        return Played(rows, tried)

    def _share(self, sides: int) -> float:
        """Seconds: the remaining sides share the remaining time."""
        share = (self._ends - self._now()) * sides / max(self._sides, sides)
        self._sides -= sides
        return share


def _control(row: Sequence[float]) -> float:
    return statistics.mean((row[0], row[-1]))
