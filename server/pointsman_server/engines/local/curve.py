"""Curves that turn a head's raw score into the share of held-out prompts for which it was right."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A non-decreasing, piecewise linear function through the points (`at`, `value`)."""

    at: tuple[float, ...]
    """Ascending."""
    value: tuple[float, ...]

    @classmethod
    def of(cls, points: Sequence[Sequence[float]]) -> Curve:
        """From the two rows of an artefact's header."""
        at, value = points
        if len(at) != len(value) or not at:
            raise ValueError("a curve needs as many values as places, and one at least")
        return cls(at=tuple(at), value=tuple(value))

    def __call__(self, x: float) -> float:
        """The value at `x`; beyond the ends that of the nearest end."""
        right = bisect_right(self.at, x)
        if right == 0:
            return self.value[0]
        if right == len(self.at):
            return self.value[-1]
        x0, x1 = self.at[right - 1], self.at[right]
        y0, y1 = self.value[right - 1], self.value[right]
        return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
