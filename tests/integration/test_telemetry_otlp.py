"""Spans and metrics reach a collector, and a collector that fails reaches nobody."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from typing import Any

import pytest
from opentelemetry.context import Context
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.trace import SpanKind
from pointsman_server.core.errors import EngineFailed
from pointsman_server.core.model import EngineFailure
from pointsman_server.core.policy_file import LogRules
from pointsman_server.telemetry import Telemetry, build_telemetry, tracing
from pointsman_server.telemetry.metrics.accumulators import Histogram
from pointsman_server.telemetry.metrics.catalog import EXPORT_FAILURES, SPANS_DROPPED
from pointsman_server.telemetry.metrics.instrument import Instrument
from support.otlp_sink import (
    PATIENCE,
    OtlpSink,
    attributes,
    dead_collector,
    grpc_collector,
    hanging_collector,
    http_collector,
)
from support.records import cached, failed, routed

SILENT = LogRules(stdout=False)
QUICK = {"OTEL_BSP_SCHEDULE_DELAY": "20", "OTEL_METRIC_EXPORT_INTERVAL": "20"}
COLLECTORS = {"grpc": grpc_collector, "http/protobuf": http_collector}
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@asynccontextmanager
async def telemetry(**environment: str) -> AsyncIterator[Telemetry]:
    built = await build_telemetry(environment=environment, log=SILENT)
    try:
        yield built
    finally:
        await built.aclose(bound=PATIENCE)


@asynccontextmanager
async def soon_given_up(**environment: str) -> AsyncIterator[Telemetry]:
    """Waits for no collector at the end."""
    built = await build_telemetry(environment=environment, log=SILENT)
    try:
        yield built
    finally:
        await built.aclose(bound=0.2)


def call(telemetry: Telemetry, traceparent: str | None = TRACEPARENT) -> None:
    """What one request does: a server span, a failing engine's, and a decision."""
    header = {"traceparent": traceparent} if traceparent else {}
    context = telemetry.propagator.extract(header, Context())
    with telemetry.tracer.start_as_current_span("call", context=context, kind=SpanKind.SERVER):
        with suppress(EngineFailed):
            ask_engine(telemetry)
        telemetry.metrics.engine_call("morph", seconds=0.02, stage="http_503")
        for observer in telemetry.observers:
            observer.on_decision(routed())


def ask_engine(telemetry: Telemetry) -> None:
    with telemetry.tracer.start_as_current_span("engine", kind=SpanKind.CLIENT):
        raise EngineFailed(EngineFailure(engine="morph", stage="http_503"))


@pytest.mark.parametrize("protocol", COLLECTORS)
async def test_spans_arrive_with_their_attributes_and_status(protocol: str) -> None:
    sink = OtlpSink()
    async with (
        COLLECTORS[protocol](sink) as endpoint,
        telemetry(
            OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
            OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
            OTEL_EXPORTER_OTLP_HEADERS="X-Tenant=blue%20team",
            OTEL_SERVICE_NAME="edge",
            OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=test",
            **QUICK,
        ) as built,
    ):
        call(built)
        await sink.until(lambda s: len(s.spans) == 2)

    server, engine = sorted(sink.spans, key=lambda span: span.name)
    assert (server.name, server.kind) == ("call", Span.SPAN_KIND_SERVER)
    assert server.trace_id.hex() == "0af7651916cd43dd8448eb211c80319c"
    assert server.parent_span_id.hex() == "b7ad6b7169203331"
    assert server.status.code == Status.STATUS_CODE_UNSET
    assert attributes(server.attributes)["pointsman.routed_model"] == "anthropic/claude-opus-4.8"
    assert attributes(server.attributes)["pointsman.dropped"] == ["unmapped:1"]
    assert engine.parent_span_id == server.span_id
    assert engine.status.code == Status.STATUS_CODE_ERROR
    assert attributes(engine.attributes) == {"error.type": "http_503"}
    assert sink.headers["x-tenant"] == "blue team"
    assert sink.resource["service.name"] == "edge"
    assert sink.resource["deployment.environment.name"] == "test"
    assert sink.resource["service.instance.id"]
    assert sink.resource["service.version"]


@pytest.mark.parametrize("protocol", COLLECTORS)
async def test_metrics_arrive_with_units_and_sums(protocol: str) -> None:
    sink = OtlpSink()
    async with (
        COLLECTORS[protocol](sink) as endpoint,
        telemetry(
            OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=(
                endpoint if protocol == "grpc" else f"{endpoint}/v1/metrics"
            ),
            OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
            **QUICK,
        ) as built,
    ):
        for record in (routed(), cached(), failed()):
            built.metrics.on_decision(record)
        await sink.until(lambda s: "pointsman.decisions" in s.metrics)

    decisions = sink.metrics["pointsman.decisions"]
    by_outcome: dict[Any, int] = {}
    for point in decisions.sum.data_points:
        outcome = attributes(point.attributes)["pointsman.outcome"]
        by_outcome[outcome] = by_outcome.get(outcome, 0) + int(point.as_double or point.as_int)
    assert by_outcome == {"routed": 2, "failed": 1}
    assert (decisions.unit, decisions.sum.is_monotonic) == ("{decision}", True)
    duration = sink.metrics["pointsman.decision.duration"]
    assert duration.unit == "s"
    assert sum(point.count for point in duration.histogram.data_points) == 3
    assert all(p.start_time_unix_nano for p in duration.histogram.data_points)
    assert sink.spans == []


async def test_what_is_left_is_sent_at_the_end() -> None:
    sink = OtlpSink()
    async with grpc_collector(sink) as endpoint:
        async with telemetry(OTEL_EXPORTER_OTLP_ENDPOINT=endpoint) as built:
            call(built)
            assert sink.spans == []

        assert len(sink.spans) == 2
        assert "pointsman.decisions" in sink.metrics


@pytest.mark.parametrize(
    ("named", "service"), [({}, "beside"), ({"OTEL_SERVICE_NAME": "edge"}, "edge")]
)
async def test_tracing_alone_sends_spans_and_nothing_else(
    named: dict[str, str], service: str
) -> None:
    sink = OtlpSink()
    async with grpc_collector(sink) as endpoint:
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, **QUICK, **named}
        async with tracing(environment, service="beside", bound=PATIENCE) as tracer:
            with tracer.start_as_current_span("call", kind=SpanKind.SERVER):
                pass
        assert [span.name for span in sink.spans] == ["call"]
        assert sink.resource["service.name"] == service
        assert sink.metrics == {}


@pytest.mark.parametrize(
    "settings",
    [
        {"OTEL_SDK_DISABLED": "true"},
        {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"},
    ],
)
async def test_nothing_is_sent_where_nothing_is_to_be(settings: dict[str, str]) -> None:
    sink = OtlpSink()
    async with grpc_collector(sink) as endpoint:
        async with telemetry(OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, **settings) as built:
            call(built)

        assert sink.spans == []
        assert sink.metrics == {}


FAILING: dict[str, Callable[[], AbstractContextManager[str]]] = {
    "dead": dead_collector,
    "hanging": hanging_collector,
}


@pytest.fixture
def heard() -> Iterator[list[str]]:
    """What reaches the root logger. Not `caplog`: that also hears loggers that are held back."""
    lines: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    listener = Listener()
    logging.getLogger().addHandler(listener)
    yield lines
    logging.getLogger().removeHandler(listener)


@pytest.mark.parametrize("protocol", COLLECTORS)
@pytest.mark.parametrize("kind", FAILING)
async def test_a_failing_collector_is_counted_and_told_of_in_a_few_lines(
    kind: str, protocol: str, heard: list[str]
) -> None:
    with FAILING[kind]() as endpoint:
        async with soon_given_up(
            OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
            OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
            OTEL_EXPORTER_OTLP_TIMEOUT="200",
            OTEL_BSP_MAX_QUEUE_SIZE="64",
            OTEL_BSP_MAX_EXPORT_BATCH_SIZE="8",
            **QUICK,
        ) as built:
            async with asyncio.timeout(PATIENCE):
                while min(failures(built).values()) < 3:
                    call(built)
                    await asyncio.sleep(0.01)

    assert 0 < len(heard) <= 8, heard


@pytest.mark.parametrize("protocol", COLLECTORS)
async def test_neither_calls_nor_the_end_wait_for_a_hanging_collector(protocol: str) -> None:
    """It would take ten minutes, and the test would be stopped, if anything waited."""
    with hanging_collector() as endpoint:
        async with soon_given_up(
            OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
            OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
            OTEL_EXPORTER_OTLP_TIMEOUT="600000",
            OTEL_BSP_MAX_QUEUE_SIZE="16",
            OTEL_BSP_MAX_EXPORT_BATCH_SIZE="8",
            **QUICK,
        ) as built:
            for _ in range(200):
                call(built)
                await asyncio.sleep(0)
            # All but a batch under way and those that wait.
            [dropped] = counted(built, SPANS_DROPPED).values()
            assert 400 - 8 - 16 <= dropped <= 400 - 16


def failures(built: Telemetry) -> dict[str, float]:
    """Batches that were not taken, by signal."""
    return counted(built, EXPORT_FAILURES)


def counted(built: Telemetry, instrument: Instrument) -> dict[str, float]:
    """What an instrument shows, by signal if it has any."""
    for reading in built.metrics.collect():
        if reading.instrument is instrument:
            return {
                str(point.attributes.get("pointsman.signal")): point.value
                for point in reading.points
                if not isinstance(point.value, Histogram)
            }
    raise AssertionError(f"{instrument.name} is not counted")
