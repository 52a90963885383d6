"""Sends the metrics to collectors now and then."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from pointsman_server.telemetry.daemon_thread import in_daemon_thread, within
from pointsman_server.telemetry.metrics.otlp_bridge import metrics_data
from pointsman_server.telemetry.metrics.recorder import Metrics

logger = logging.getLogger(__name__)

EXPORT_TIMEOUT_MILLIS = 30_000


class MetricExport:
    """Reads `metrics` on the event loop every `interval` seconds and exports from a thread."""

    def __init__(
        self,
        metrics: Metrics,
        *,
        exporters: Sequence[MetricExporter],
        resource: Resource,
        scope: InstrumentationScope,
        interval: float,
    ) -> None:
        self._metrics = metrics
        self._exporters = exporters
        self._data = partial(metrics_data, resource=resource, scope=scope)
        self._interval = interval
        self.failures = 0
        """Batches that were not taken."""
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
        data = self._data(self._metrics.collect())
        for exporter in self._exporters:
            send = partial(exporter.export, data, timeout_millis=EXPORT_TIMEOUT_MILLIS)
            try:
                result = await in_daemon_thread(send, name="pointsman-metric-export")
            except Exception as error:  # noqa: BLE001 - an exporter may raise anything
                logger.warning("metrics could not be exported: %s", type(error).__qualname__)
                result = MetricExportResult.FAILURE
            self.failures += result is not MetricExportResult.SUCCESS
