"""Exports the registry's metrics at a fixed interval, as the SDK's values. Sums are cumulative."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    HistogramDataPoint,
    Metric,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.metrics.export import Histogram as HistogramMetric
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client import CollectorRegistry

from pointsman_server.telemetry.daemon_thread import in_daemon_thread, within
from pointsman_server.telemetry.metrics.accumulators import Histogram
from pointsman_server.telemetry.metrics.families import Family
from pointsman_server.telemetry.metrics.instrument import Kind

logger = logging.getLogger(__name__)

CUMULATIVE = AggregationTemporality.CUMULATIVE
EXPORT_TIMEOUT_MILLIS = 30_000


class OtlpBridge:
    """Reads `registry` on the event loop every `interval` seconds and exports from a thread."""

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        exporters: Sequence[MetricExporter],
        resource: Resource,
        scope: InstrumentationScope,
        interval: float,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._registry = registry
        self._exporters = exporters
        self._resource = resource
        self._scope = scope
        self._interval = interval
        self._now_ns = now_ns
        self._started = now_ns()
        self.failures = 0
        """Batches that a collector did not take."""
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; without exporters there is nothing to do."""
        if self._exporters:
            self._task = asyncio.create_task(self._run(), name="pointsman-metric-export")

    async def aclose(self, *, bound: float) -> None:
        """Stop, and export once more for `bound` seconds at most."""
        if self._task is None:
            return
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        with suppress(TimeoutError):
            await asyncio.wait_for(self._export(), timeout=bound)
        await asyncio.gather(
            *(within(0.5, e.shutdown, name="pointsman-metric-close") for e in self._exporters)
        )

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            await self._export()

    async def _export(self) -> None:
        data = metrics_data(
            await self._families(),
            resource=self._resource,
            scope=self._scope,
            started=self._started,
            taken=self._now_ns(),
        )
        for exporter in self._exporters:
            send = partial(exporter.export, data, timeout_millis=EXPORT_TIMEOUT_MILLIS)
            try:
                result = await in_daemon_thread(send, name="pointsman-metric-export")
            except Exception as error:  # noqa: BLE001 - an exporter may raise anything
                logger.warning("metrics export failed: %s", type(error).__qualname__)
                result = MetricExportResult.FAILURE
            self.failures += result is not MetricExportResult.SUCCESS

    async def _families(self) -> list[Family]:
        """The registry's families, with a turn of the event loop after each."""
        found: list[Family] = []
        for family in self._registry.collect():
            if isinstance(family, Family):
                found.append(family)
                await asyncio.sleep(0)
        return found


def metrics_data(
    families: Sequence[Family],
    *,
    resource: Resource,
    scope: InstrumentationScope,
    started: int,
    taken: int,
) -> MetricsData:
    """Families that have a number; times are nanoseconds since the epoch."""
    metrics = [_metric(family, started, taken) for family in families if family.points]
    return MetricsData(
        resource_metrics=[
            ResourceMetrics(
                resource=resource,
                scope_metrics=[ScopeMetrics(scope=scope, metrics=metrics, schema_url="")],
                schema_url="",
            )
        ]
    )


def _metric(family: Family, started: int, taken: int) -> Metric:
    instrument = family.instrument
    data: Sum | Gauge | HistogramMetric
    if instrument.kind is Kind.HISTOGRAM:
        data = HistogramMetric(
            data_points=list(_histograms(family, started, taken)),
            aggregation_temporality=CUMULATIVE,
        )
    elif instrument.kind is Kind.GAUGE:
        data = Gauge(data_points=list(_numbers(family, started, taken)))
    else:
        data = Sum(
            data_points=list(_numbers(family, started, taken)),
            aggregation_temporality=CUMULATIVE,
            is_monotonic=instrument.kind is Kind.COUNTER,
        )
    return Metric(
        name=instrument.name,
        description=instrument.description,
        unit=instrument.unit,
        data=data,
    )


def _numbers(family: Family, started: int, taken: int) -> Iterator[NumberDataPoint]:
    for point in family.points:
        if not isinstance(point.value, Histogram):
            yield NumberDataPoint(
                attributes=dict(point.attributes),
                start_time_unix_nano=started,
                time_unix_nano=taken,
                value=point.value,
            )


def _histograms(family: Family, started: int, taken: int) -> Iterator[HistogramDataPoint]:
    for point in family.points:
        if isinstance(point.value, Histogram):
            yield HistogramDataPoint(
                attributes=dict(point.attributes),
                start_time_unix_nano=started,
                time_unix_nano=taken,
                count=point.value.count,
                sum=point.value.total,
                bucket_counts=point.value.buckets,
                explicit_bounds=point.value.bounds,
                min=point.value.lowest,
                max=point.value.highest,
            )
