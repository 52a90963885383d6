"""The numbers of a running service, as its metrics give them."""

from __future__ import annotations

from pointsman_server.telemetry.metrics.accumulators import Histogram
from pointsman_server.telemetry.metrics.catalog import IN_FLIGHT
from pointsman_server.telemetry.metrics.instrument import Instrument
from pointsman_server.telemetry.metrics.recorder import Metrics


def counted(metrics: Metrics, instrument: Instrument) -> dict[tuple[str | bool | None, ...], int]:
    """Values by attribute values, in the instrument's order; of a histogram its count."""
    [family] = [each for each in metrics.collect() if each.instrument is instrument]
    return {
        tuple(point.attributes.get(name) for name in instrument.attributes): int(
            point.value.count if isinstance(point.value, Histogram) else point.value
        )
        for point in family.points
    }


def in_flight(metrics: Metrics) -> int:
    """Requests being answered."""
    return counted(metrics, IN_FLIGHT)[()]
