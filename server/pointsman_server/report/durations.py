"""Quantiles of durations in bounded memory: a histogram whose bounds grow by a fixed factor."""

from __future__ import annotations

import math
from typing import Final

GROWTH: Final = 1.02
"""From one bound to the next; a quantile is exact to half of it, one percent."""
SHORTEST: Final = 1e-3
"""Milliseconds; shorter durations count as this. The log has no finer numbers."""
LONGEST: Final = 1e9
"""Milliseconds, a week and a half; longer durations count as this."""
_STEP: Final = math.log(GROWTH)


class Durations:
    """Weighted durations in milliseconds; at most 1,400 counts for any input."""

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts: dict[int, float] = {}

    def add(self, millis: float, weight: float) -> None:
        """Count a duration `weight` times."""
        place = math.floor(math.log(min(max(millis, SHORTEST), LONGEST)) / _STEP)
        self.counts[place] = self.counts.get(place, 0.0) + weight

    def merge(self, other: Durations) -> None:
        """Add all that `other` counted."""
        for place, weight in other.counts.items():
            self.counts[place] = self.counts.get(place, 0.0) + weight

    @property
    def total(self) -> float:
        """The sum of all weights."""
        return sum(self.counts.values())

    def quantile(self, share: float) -> float | None:
        """The duration that `share` of them do not exceed; `None` where there are none."""
        left = share * self.total
        place = None
        for place in sorted(self.counts):
            left -= self.counts[place]
            if left <= 0:
                break
        return None if place is None else math.exp((place + 0.5) * _STEP)
