"""Readings in Prometheus's text format 0.0.4.

Names follow OpenTelemetry's "Prometheus compatibility" page: dots become underscores, seconds and
`_total` are appended. Written by hand because a scrape runs on the event loop: the usual library
takes ten milliseconds for a thousand lines, this one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pointsman_server.telemetry.metrics.catalog import Instrument, Kind
from pointsman_server.telemetry.readings import HistogramData, MetricSnapshot, Point, Reading

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_TYPES = {
    Kind.COUNTER: "counter",
    Kind.UP_DOWN: "gauge",
    Kind.GAUGE: "gauge",
    Kind.HISTOGRAM: "histogram",
}


def exposition(readings: MetricSnapshot, *, target: Mapping[str, str]) -> str:
    """The page; `target` are the resource's attributes."""
    lines = [
        "# HELP target_info What is measured here.",
        "# TYPE target_info gauge",
        f"target_info{_braces(_labels(target))} 1",
    ]
    for reading in readings.readings:
        if reading.points:
            lines += _family(reading)
    return "\n".join(lines) + "\n"


def metric_name(instrument: Instrument) -> str:
    """An instrument's name on the page."""
    name = _underscored(instrument.name)
    if instrument.unit == "s":
        name += "_seconds"
    if instrument.kind is Kind.COUNTER:
        name += "_total"
    return name


def _family(reading: Reading) -> Iterator[str]:
    name = metric_name(reading.instrument)
    yield f"# HELP {name} {reading.instrument.description}"
    yield f"# TYPE {name} {_TYPES[reading.instrument.kind]}"
    for point in reading.points:
        if isinstance(point.value, HistogramData):
            yield from _histogram(name, point, point.value)
        else:
            yield f"{name}{_braces(_labels(point.attributes))} {point.value}"


def _histogram(name: str, point: Point, spread: HistogramData) -> Iterator[str]:
    labels = _labels(point.attributes)
    before = labels + "," if labels else ""
    below = 0
    for bound, count in zip(spread.bounds, spread.counts, strict=False):
        below += count
        yield f'{name}_bucket{{{before}le="{bound}"}} {below}'
    yield f'{name}_bucket{{{before}le="+Inf"}} {spread.count}'
    yield f"{name}_sum{_braces(labels)} {spread.total}"
    yield f"{name}_count{_braces(labels)} {spread.count}"


def _labels(attributes: Mapping[str, str | bool]) -> str:
    return ",".join(f'{_underscored(k)}="{_escaped(v)}"' for k, v in attributes.items())


def _braces(labels: str) -> str:
    return f"{{{labels}}}" if labels else ""


def _underscored(name: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in name)


def _escaped(value: str | bool) -> str:
    text = str(value).lower() if isinstance(value, bool) else value
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
