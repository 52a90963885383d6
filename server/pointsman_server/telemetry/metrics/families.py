"""Instruments and their numbers as metric families of `prometheus_client`.

Names follow OpenTelemetry's "Prometheus compatibility" page: dots become underscores, seconds and
`_total` are appended. Labels that are not set are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import Metric

from pointsman_server.telemetry.metrics.accumulators import OVERFLOW, Histogram, Key
from pointsman_server.telemetry.metrics.instrument import Instrument, Kind

OVERFLOW_ATTRIBUTE = "otel.metric.overflow"
"""Marks numbers recorded after an instrument's limit of cells, as OpenTelemetry names it."""

_TYPES = {
    Kind.COUNTER: "counter",
    Kind.UP_DOWN: "gauge",
    Kind.GAUGE: "gauge",
    Kind.HISTOGRAM: "histogram",
}


@dataclass(frozen=True, slots=True)
class Point:
    """One cell: its attributes, those not set left out, and its number."""

    attributes: Mapping[str, str | bool]
    value: float | Histogram


class Family(Metric):
    """One instrument at one moment: `samples` for Prometheus, `points` for OTLP."""

    def __init__(
        self, instrument: Instrument, cells: Iterable[tuple[Key, float | Histogram]]
    ) -> None:
        kind = instrument.kind
        name = metric_name(instrument).removesuffix("_total" if kind is Kind.COUNTER else "")
        super().__init__(name, instrument.description, _TYPES[kind])
        self.instrument = instrument
        self.points = tuple(_point(instrument, key, cell) for key, cell in cells)
        suffix = "_total" if kind is Kind.COUNTER else ""
        for point in self.points:
            labels = {underscored(k): _label(v) for k, v in point.attributes.items()}
            if isinstance(point.value, Histogram):
                self._add_histogram(labels, point.value)
            else:
                self.add_sample(name + suffix, labels, point.value)

    def _add_histogram(self, labels: dict[str, str], data: Histogram) -> None:
        for bound, below in _cumulated(data):
            self.add_sample(f"{self.name}_bucket", {**labels, "le": bound}, below)
        self.add_sample(f"{self.name}_sum", labels, data.total)
        self.add_sample(f"{self.name}_count", labels, data.count)


def metric_name(instrument: Instrument) -> str:
    """An instrument's name on the page."""
    name = underscored(instrument.name)
    if instrument.unit == "s":
        name += "_seconds"
    if instrument.kind is Kind.COUNTER:
        name += "_total"
    return name


def underscored(name: str) -> str:
    """A name that Prometheus takes for a metric or a label."""
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in name)


def _cumulated(data: Histogram) -> Iterator[tuple[str, int]]:
    below = 0
    for bound, count in zip((*data.bounds, "+Inf"), data.buckets, strict=True):
        below += count
        yield str(bound), below


def _point(instrument: Instrument, key: Key, cell: float | Histogram) -> Point:
    attributes: dict[str, str | bool] = {OVERFLOW_ATTRIBUTE: True}
    if key is not OVERFLOW:
        pairs = zip(instrument.attributes, key, strict=True)
        attributes = {name: _plain(value) for name, value in pairs if value is not None}
    return Point(attributes, cell.snapshot() if isinstance(cell, Histogram) else cell)


def _plain(value: str | bool) -> str | bool:
    """Members of enumerations as the strings that they are."""
    return value if isinstance(value, bool) else str(value)


def _label(value: str | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else value
