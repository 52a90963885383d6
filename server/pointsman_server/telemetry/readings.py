"""What the metrics say at one moment; both the OTLP export and the Prometheus page show these."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pointsman_server.telemetry.accumulators import OVERFLOW, Histogram, Key
from pointsman_server.telemetry.metrics.catalog import Instrument

OVERFLOW_ATTRIBUTE = "otel.metric.overflow"
"""Marks what was recorded after an instrument's limit of cells, as OpenTelemetry names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistogramData:
    """A histogram's numbers; `counts` has one more element than `bounds`."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float
    lowest: float
    highest: float

    @property
    def count(self) -> int:
        """How many values were recorded."""
        return sum(self.counts)


@dataclass(frozen=True, slots=True)
class Point:
    """One cell: its attributes, those not set left out, and its number."""

    attributes: Mapping[str, str | bool]
    value: float | HistogramData


@dataclass(frozen=True, slots=True)
class Reading:
    """One instrument and its cells."""

    instrument: Instrument
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSnapshot:
    """All instruments; nanoseconds since the epoch. Sums count from `started`."""

    started: int
    taken: int
    readings: tuple[Reading, ...]


def reading(instrument: Instrument, cells: Iterable[tuple[Key, float | Histogram]]) -> Reading:
    """A copy of what `cells` hold now."""
    return Reading(instrument, tuple(_point(instrument, key, cell) for key, cell in cells))


def _point(instrument: Instrument, key: Key, cell: float | Histogram) -> Point:
    attributes: dict[str, str | bool] = {OVERFLOW_ATTRIBUTE: True}
    if key is not OVERFLOW:
        pairs = zip(instrument.attributes, key, strict=True)
        attributes = {name: _plain(value) for name, value in pairs if value is not None}
    return Point(attributes, _spread(cell) if isinstance(cell, Histogram) else cell)


def _plain(value: str | bool) -> str | bool:
    """Members of enumerations as the strings that they are."""
    return value if isinstance(value, bool) else str(value)


def _spread(cell: Histogram) -> HistogramData:
    return HistogramData(
        bounds=tuple(cell.bounds),
        counts=tuple(cell.buckets),
        total=cell.total,
        lowest=cell.lowest,
        highest=cell.highest,
    )
