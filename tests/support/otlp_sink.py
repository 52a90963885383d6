"""OpenTelemetry collectors for tests: real sockets that keep what they are sent."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

PATIENCE = 20.0
"""Seconds until a test gives up; a telemetry that works takes a hundredth of that."""


class OtlpSink:
    """What arrived, over whichever protocol. Filled from other threads or the event loop."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.metrics: dict[str, Metric] = {}
        """The newest state of each metric."""
        self.resource: dict[str, Any] = {}
        self.headers: dict[str, str] = {}

    def take_spans(self, request: trace_service_pb2.ExportTraceServiceRequest) -> None:
        for resource in request.resource_spans:
            self.resource = attributes(resource.resource.attributes)
            for scope in resource.scope_spans:
                self.spans.extend(scope.spans)

    def take_metrics(self, request: metrics_service_pb2.ExportMetricsServiceRequest) -> None:
        for resource in request.resource_metrics:
            self.resource = attributes(resource.resource.attributes)
            for scope in resource.scope_metrics:
                self.metrics.update({metric.name: metric for metric in scope.metrics})

    async def until(self, arrived: Callable[[OtlpSink], bool]) -> None:
        """Wait for what is expected to arrive."""
        async with asyncio.timeout(PATIENCE):
            while not arrived(self):  # noqa: ASYNC110 - filled from threads too
                await asyncio.sleep(0.01)


def attributes(pairs: Sequence[KeyValue]) -> dict[str, Any]:
    """OTLP attributes as plain values."""
    return {pair.key: _plain(pair.value) for pair in pairs}


def _plain(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_plain(item) for item in value.array_value.values]
    return getattr(value, kind)


class _Traces(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self, sink: OtlpSink) -> None:
        self._sink = sink

    async def Export(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._sink.headers |= dict(context.invocation_metadata())
        self._sink.take_spans(request)
        return trace_service_pb2.ExportTraceServiceResponse()


class _Metrics(metrics_service_pb2_grpc.MetricsServiceServicer):
    def __init__(self, sink: OtlpSink) -> None:
        self._sink = sink

    async def Export(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._sink.take_metrics(request)
        return metrics_service_pb2.ExportMetricsServiceResponse()


@asynccontextmanager
async def grpc_collector(sink: OtlpSink) -> AsyncIterator[str]:
    """An OTLP/gRPC collector; the value is its endpoint."""
    server = grpc.aio.server()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(  # type: ignore[no-untyped-call]
        _Traces(sink), server
    )
    metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(  # type: ignore[no-untyped-call]
        _Metrics(sink), server
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await server.stop(0)


@asynccontextmanager
async def http_collector(sink: OtlpSink) -> AsyncIterator[str]:
    """An OTLP/HTTP collector in a thread; the value is its base URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _http_handler(sink))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        await asyncio.to_thread(server.shutdown)
        thread.join(PATIENCE)
        server.server_close()


def _http_handler(sink: OtlpSink) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.path == "/v1/traces":
                sink.headers |= {key.lower(): value for key, value in self.headers.items()}
                sink.take_spans(trace_service_pb2.ExportTraceServiceRequest.FromString(body))
            elif self.path == "/v1/metrics":
                sink.take_metrics(metrics_service_pb2.ExportMetricsServiceRequest.FromString(body))
            else:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


@contextmanager
def hanging_collector() -> Iterator[str]:
    """Takes connections and never answers; the value is its endpoint."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def dead_collector() -> Iterator[str]:
    """Refuses connections; the value is its endpoint."""
    with socket.socket() as bound:
        # Bound and not listening: nobody else gets the port meanwhile.
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
