"""Numbers added up in plain Python, one cell per set of attribute values.

An SDK instrument costs five microseconds a measurement, a cell a tenth of that: recording happens
on every call, reading once per export. Cells are written and read on the event loop only.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from math import inf
from typing import TypeAlias

Value: TypeAlias = str | bool | None
Key: TypeAlias = tuple[Value, ...]
"""Attribute values in the order of the instrument's `attributes`; `None`: not set."""

LIMIT = 2_000
"""Cells per instrument (the OpenTelemetry specification's default cardinality limit)."""

OVERFLOW: Key = ("otel.metric.overflow",)
"""The key of the cell for all keys beyond the limit."""


class Count:
    """One sum."""

    __slots__ = ("total",)

    def __init__(self) -> None:
        self.total = 0


class Counters:
    """Sums by key.

    `zero` are keys that exist from the start: a query for an increase sees the first event only
    if there was a reading before it.
    """

    __slots__ = ("_cells", "_limit")

    def __init__(self, *, limit: int = LIMIT, zero: Iterable[Key] = ()) -> None:
        self._cells = {key: Count() for key in zero}
        self._limit = limit

    def cell(self, key: Key) -> Count:
        """The cell of `key`, for repeated additions."""
        cell = self._cells.get(key)
        if cell is None:
            key = key if len(self._cells) < self._limit else OVERFLOW
            cell = self._cells.setdefault(key, Count())
        return cell

    def add(self, key: Key, amount: int = 1) -> None:
        """Add `amount` to the cell of `key`."""
        cell = self._cells.get(key) or self.cell(key)
        cell.total += amount

    def __iter__(self) -> Iterator[tuple[Key, int]]:
        return ((key, cell.total) for key, cell in self._cells.items())


class Histogram:
    """One histogram: count, sum, minimum and maximum."""

    __slots__ = ("bounds", "buckets", "highest", "lowest", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.buckets = [0] * (len(bounds) + 1)
        """The n-th counts values up to the n-th bound and above the previous one."""
        self.total = 0.0
        self.lowest = inf
        self.highest = -inf

    @property
    def count(self) -> int:
        """The number of recorded values."""
        return sum(self.buckets)

    def snapshot(self) -> Histogram:
        """Copy the numbers as of now."""
        taken = Histogram(self.bounds)
        taken.buckets = self.buckets.copy()
        taken.total, taken.lowest, taken.highest = self.total, self.lowest, self.highest
        return taken

    def record(self, value: float) -> None:
        """Record `value`."""
        self.buckets[bisect_left(self.bounds, value)] += 1
        self.total += value
        # `min` and `max` would double the cost of this method.
        if value < self.lowest:  # noqa: PLR1730
            self.lowest = value
        if value > self.highest:  # noqa: PLR1730
            self.highest = value


class Histograms:
    """Histograms by key."""

    __slots__ = ("_bounds", "_cells", "_limit")

    def __init__(self, bounds: Sequence[float], *, limit: int = LIMIT) -> None:
        self._bounds = bounds
        self._cells: dict[Key, Histogram] = {}
        self._limit = limit

    def cell(self, key: Key) -> Histogram:
        """The histogram of `key`, for repeated recording."""
        cell = self._cells.get(key)
        if cell is None:
            key = key if len(self._cells) < self._limit else OVERFLOW
            cell = self._cells.setdefault(key, Histogram(self._bounds))
        return cell

    def record(self, key: Key, value: float) -> None:
        """Record `value` in the histogram of `key`."""
        self.cell(key).record(value)

    def __iter__(self) -> Iterator[tuple[Key, Histogram]]:
        return iter(self._cells.items())
