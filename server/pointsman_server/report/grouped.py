"""A weighted mean whose interval knows that lines of one conversation are alike.

A conversation stays on its model, so a hundred lines of it say little more than one. Lines are
therefore added up by groups of conversations, and the variance is that between groups (of the
linearised ratio estimator; W. G. Cochran, Sampling Techniques, 3rd ed., sections 6.3 and 9A).
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import Final

from pointsman_server.report.intervals import Z, student_t, wilson
from pointsman_server.report.line import GROUPS

FEWEST_GROUPS: Final = 30
"""Fewer give no variance that could be relied on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate, and between what the true value lies with a confidence of 95 %."""

    value: float
    low: float
    high: float


class Grouped:
    """Values with weights, added up by group in a fixed number of sums."""

    __slots__ = ("_squares", "_values", "_weights", "lines")

    def __init__(self) -> None:
        self._weights = array("d", bytes(8 * GROUPS))
        self._values = array("d", bytes(8 * GROUPS))
        self._squares = 0.0
        self.lines = 0

    def add(self, value: float, *, weight: float, group: int) -> None:
        """Count `value` `weight` times, in `group`."""
        self._weights[group] += weight
        self._values[group] += weight * value
        self._squares += weight * weight
        self.lines += 1

    def merge(self, other: Grouped) -> None:
        """Add all that `other` counted."""
        for group in range(GROUPS):
            self._weights[group] += other._weights[group]
            self._values[group] += other._values[group]
        self._squares += other._squares
        self.lines += other.lines

    @property
    def groups(self) -> int:
        """How many groups have lines: at most the number of conversations."""
        return sum(weight > 0 for weight in self._weights)

    @property
    def mean(self) -> float | None:
        """The weighted mean; `None` of nothing."""
        return sum(self._values) / sum(self._weights) if self.lines else None

    def _variance(self, mean: float) -> float:
        """Of the mean; needs two groups."""
        groups, total = self.groups, sum(self._weights)
        pairs = zip(self._values, self._weights, strict=True)
        spread = sum((value - mean * weight) ** 2 for value, weight in pairs)
        return groups / (groups - 1) * spread / total**2

    def mean_interval(self) -> Interval | None:
        """The mean by Student's t over groups; `None` with fewer than `FEWEST_GROUPS`."""
        mean, groups = self.mean, self.groups
        if mean is None or groups < FEWEST_GROUPS:
            return None
        reach = student_t(groups - 1) * self._variance(mean) ** 0.5
        return Interval(value=mean, low=mean - reach, high=mean + reach)

    def share_interval(self) -> Interval | None:
        """The mean of values that are 0 or 1, by Wilson over the effective number of lines."""
        mean = self.mean
        if mean is None:
            return None
        low, high = wilson(mean, n=self._effective(mean), z=Z)
        return Interval(value=mean, low=low, high=high)

    def _effective(self, mean: float) -> float:
        """How many independent draws would say as much as these lines.

        Where all are alike there is no variance to tell it from: then each group counts as one.
        """
        total = sum(self._weights)
        by_group = total**2 / sum(weight**2 for weight in self._weights)
        variance = self._variance(mean) if self.groups > 1 else 0.0
        if variance <= 0 or not 0 < mean < 1:
            return by_group
        return min(mean * (1 - mean) / variance, total**2 / self._squares)
