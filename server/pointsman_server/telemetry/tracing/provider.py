"""Build the span pipeline from `TelemetryRules`, and close it within a bound."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from importlib.metadata import entry_points, version
from typing import cast
from uuid import uuid4

from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.sdk.version import __version__ as sdk_version
from opentelemetry.trace import Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from pointsman_server.telemetry.config import BatchRules, TelemetryRules
from pointsman_server.telemetry.daemon_thread import within
from pointsman_server.telemetry.service_log.library_log import PAUSE
from pointsman_server.telemetry.tracing.exporters import CountingSpanExporter, build_span_exporters
from pointsman_server.telemetry.tracing.head_tracer import HeadSampler, HeadTracer
from pointsman_server.telemetry.tracing.light_span import CallSpans
from pointsman_server.telemetry.variables import hidden

logger = logging.getLogger(__name__)

SCOPE = "pointsman_server"
MOST_ATTRIBUTES = 64
"""More than any span has."""


class CountingSpanProcessor(BatchSpanProcessor):
    """Drops and counts spans when the queue is full; the log gets one line a minute.

    The SDK's processor would drop the oldest, and log a line for each. Called by one thread.
    """

    def __init__(
        self,
        exporter: CountingSpanExporter,
        rules: BatchRules,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(
            exporter,
            max_queue_size=rules.queue,
            schedule_delay_millis=rules.delay * 1_000,
            max_export_batch_size=rules.size,
        )
        self._counted = exporter
        self._most = rules.queue
        self._taken = 0
        self._clock = clock
        self._told = -PAUSE
        self.dropped = 0

    def on_end(self, span: ReadableSpan) -> None:
        """Take `span`, if there is room."""
        if self._taken - self._counted.given >= self._most:
            self._drop()
            return
        self._taken += 1
        super().on_end(span)

    def _drop(self) -> None:
        self.dropped += 1
        now = self._clock()
        if now - self._told >= PAUSE:
            self._told = now
            logger.warning("the queue of spans is full: %d dropped so far", self.dropped)


class Spans:
    """A tracer provider of our own and its exporters; `tracer` is `None` where there is none."""

    def __init__(self, rules: TelemetryRules, *, resource: Resource) -> None:
        with hidden(rules.unused):
            self._exporters = tuple(map(CountingSpanExporter, build_span_exporters(rules.spans)))
            self._limits = SpanLimits()  # from the standard variables
        self._processors = tuple(
            CountingSpanProcessor(each, rules.batch) for each in self._exporters
        )
        self._provider: TracerProvider | None = None
        self.tracer: Tracer | None = None
        if self._exporters:
            self._provider = TracerProvider(
                sampler=HeadSampler(rules.sampler),
                resource=resource,
                shutdown_on_exit=False,
                span_limits=self._limits,
            )
            for processor in self._processors:
                self._provider.add_span_processor(processor)
            self.tracer = self._provider.get_tracer(SCOPE, version("pointsman"))

    def calls(self, tracer: HeadTracer) -> CallSpans:
        """Spans of calls; `tracer` opens those that go on."""
        if self._provider is None:
            return CallSpans(tracer)
        return CallSpans(
            tracer,
            processors=self._processors,
            ids=self._provider.id_generator,
            resource=self._provider.resource,
            scope=InstrumentationScope(SCOPE, version("pointsman")),
            limited=self._limited,
        )

    @property
    def _limited(self) -> bool:
        """Whether a span could have more, or longer, attributes than it may."""
        most = self._limits.max_span_attributes
        return self._limits.max_span_attribute_length is not None or (
            most is not None and most < MOST_ATTRIBUTES
        )

    @property
    def failures(self) -> int:
        """Batches that were not taken."""
        return sum(exporter.failures for exporter in self._exporters)

    @property
    def dropped(self) -> int:
        """Spans that found as many waiting as may."""
        return sum(processor.dropped for processor in self._processors)

    async def aclose(self, *, bound: float) -> None:
        """Flush the queue, for `bound` seconds at most."""
        if self._provider is None:
            return
        flushed = await within(bound, self._provider.shutdown, name="pointsman-span-flush")
        if not flushed:
            # The flush hangs in an export; without its connection that ends.
            await asyncio.gather(
                *(within(0.5, e.shutdown, name="pointsman-span-cut") for e in self._exporters)
            )


def build_propagator(names: tuple[str, ...]) -> TextMapPropagator:
    """Build the reader and writer of trace headers; every name is installed."""
    if names == ("tracecontext",):
        return TraceContextTextMapPropagator()
    return CompositePropagator([_propagator(name) for name in names])


def _propagator(name: str) -> TextMapPropagator:
    found = next(iter(entry_points(group="opentelemetry_propagator", name=name)))
    return cast("TextMapPropagator", found.load()())


def build_resource(rules: TelemetryRules, worker: int | None = None) -> Resource:
    """The attributes that `rules` name, and those of this program, its `worker` and its SDK."""
    # Tells the cumulative sums of replicas apart, and those of one replica's workers.
    given = rules.resource.get("service.instance.id")
    instance = str(uuid4()) if given is None else given
    if given is not None and worker is not None:
        instance = f"{given}/{worker}"
    # Not `Resource.create`: it starts threads and reads the environment once more.
    return Resource(
        {
            "telemetry.sdk.language": "python",
            "telemetry.sdk.name": "opentelemetry",
            "telemetry.sdk.version": sdk_version,
            "service.version": version("pointsman"),
            **rules.resource,
            "service.instance.id": instance,
        }
    )
