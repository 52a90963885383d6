"""A weighted mean whose interval knows that lines of one conversation are alike.

A conversation stays on its model, so a hundred lines of it say little more than one. Lines are
therefore added up by groups of conversations, and the variance is that between groups (of the
linearised ratio estimator; W. G. Cochran, Sampling Techniques, 3rd ed., sections 6.3 and 9A).
"""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass
from typing import Final

from pointsman_server.report.intervals import Z, student_t, wilson
from pointsman_server.report.line import GROUPS

FEWEST_LINES: Final = 100
FEWEST_GROUPS: Final = 30
"""Fewer give no variance that could be relied on. Both are held against effective numbers: one
line that outweighs all others pulls the mean to itself, and the variance with it to nothing."""
_DUST: Final = 1e-9
"""Relative; sums of floats are no more exact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate with its 95 % confidence interval."""

    value: float
    low: float
    high: float


class Grouped:
    """Values with weights, added up by group in a fixed number of sums."""

    __slots__ = ("_highest", "_lowest", "_squares", "_values", "_weights", "lines")

    def __init__(self) -> None:
        self._weights = array("d", bytes(8 * GROUPS))
        self._values = array("d", bytes(8 * GROUPS))
        self._squares = 0.0
        self._lowest, self._highest = math.inf, -math.inf
        self.lines = 0

    def add(self, value: float, *, weight: float, group: int) -> None:
        """Count `value` `weight` times, in `group`."""
        self._weights[group] += weight
        self._values[group] += weight * value
        self._squares += weight * weight
        self._lowest, self._highest = min(self._lowest, value), max(self._highest, value)
        self.lines += 1

    def merge(self, other: Grouped) -> None:
        """Add all that `other` counted."""
        for group in range(GROUPS):
            self._weights[group] += other._weights[group]
            self._values[group] += other._values[group]
        self._squares += other._squares
        self._lowest = min(self._lowest, other._lowest)
        self._highest = max(self._highest, other._highest)
        self.lines += other.lines

    @property
    def groups(self) -> int:
        """The number of non-empty groups: at most the number of conversations."""
        return sum(weight > 0 for weight in self._weights)

    @property
    def effective_lines(self) -> float:
        """The effective number of lines (of equal weight); 0 without lines."""
        return sum(self._weights) ** 2 / self._squares if self.lines else 0.0

    @property
    def effective_groups(self) -> float:
        """The effective number of groups (of equal weight); 0 without lines."""
        squares = sum(weight**2 for weight in self._weights)
        return sum(self._weights) ** 2 / squares if self.lines else 0.0

    @property
    def enough(self) -> bool:
        """Whether there is enough for an interval of the mean."""
        return enough_lines(self.effective_lines) and enough_groups(self.effective_groups)

    @property
    def alike(self) -> bool:
        """Whether all values are the same, so that nothing tells how others vary."""
        return self.lines > 0 and math.isclose(
            self._lowest, self._highest, rel_tol=_DUST, abs_tol=_DUST**2
        )

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
        """The mean by Student's t over groups; `None` of too few lines or groups, or alike ones."""
        mean = self.mean
        if mean is None or not self.enough or self.alike:
            return None
        reach = student_t(self.groups - 1) * self._variance(mean) ** 0.5
        return Interval(value=mean, low=mean - reach, high=mean + reach)

    def share_interval(self) -> Interval | None:
        """The mean of values that are 0 or 1, by Wilson over the effective number of lines."""
        mean = self.mean
        if mean is None:
            return None
        low, high = wilson(mean, n=self._effective(mean), z=Z)
        return Interval(value=mean, low=low, high=high)

    def _effective(self, mean: float) -> float:
        """The effective sample size of these lines.

        If all lines are alike, the variance is unknown: then each group counts as one, as far as
        their weights are equal.
        """
        if not 0 < mean < 1 or self.groups == 1:
            return self.effective_groups
        most, one_draw, variance = self.effective_lines, mean * (1 - mean), self._variance(mean)
        # No division by a variance that is 0, or dust that should be.
        return most if variance * most <= one_draw else one_draw / variance


def enough_lines(effective: float) -> bool:
    """Whether so many lines give an interval."""
    return effective >= FEWEST_LINES * (1 - _DUST)


def enough_groups(effective: float) -> bool:
    """Whether so many groups give an interval."""
    return effective >= FEWEST_GROUPS * (1 - _DUST)
