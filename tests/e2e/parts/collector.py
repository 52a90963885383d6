"""An OTLP collector in this process: what any number of programs exported, by service."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, ClassVar

import grpc
from e2e.parts.processes import until
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.trace.v1 import trace_pb2
from support.ports import free_port


@dataclass(frozen=True)
class Span:
    """One exported span; ids in hexadecimal, `parent` empty for a root."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    kind: int
    attributes: dict[str, Any]

    SERVER: ClassVar[int] = trace_pb2.Span.SPAN_KIND_SERVER
    CLIENT: ClassVar[int] = trace_pb2.Span.SPAN_KIND_CLIENT


@dataclass
class Collector:
    """What arrived; filled from other threads."""

    endpoint: str
    spans: list[Span] = field(default_factory=list)

    def settings(self, service: str) -> dict[str, str]:
        """The standard variables that make a program export here, soon."""
        return export_settings(self.endpoint, service)

    def span(self, wanted: Callable[[Span], bool], *, what: str) -> Span:
        """Wait for a span."""
        until(
            lambda: any(map(wanted, list(self.spans))),
            what=lambda: f"{what}; there are {sorted({(s.service, s.name) for s in self.spans})}",
        )
        return next(filter(wanted, list(self.spans)))

    def ancestors(self, span: Span, *, until: Span | None = None) -> list[Span]:
        """The spans above one, the nearest first, up to the root or `until`; waits for each."""
        above: list[Span] = []
        while span.parent and span != until:
            child = span
            span = self.span(
                lambda s, child=child: (s.trace, s.id) == (child.trace, child.parent),
                what=f"the parent of {child.name}",
            )
            above.append(span)
        return above


class _Traces(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802
        for resource in request.resource_spans:
            service = _plain(resource.resource.attributes).get("service.name", "")
            for scope in resource.scope_spans:
                self._collector.spans.extend(_span(service, span) for span in scope.spans)
        return trace_service_pb2.ExportTraceServiceResponse()


class _Metrics(metrics_service_pb2_grpc.MetricsServiceServicer):
    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802
        return metrics_service_pb2.ExportMetricsServiceResponse()


@contextlib.contextmanager
def otlp_collector() -> Iterator[Collector]:
    """Collect inside the block, over OTLP/gRPC."""
    collector = Collector(f"http://127.0.0.1:{free_port()}")
    server = grpc.server(ThreadPoolExecutor(max_workers=4))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(_Traces(collector), server)
    metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(_Metrics(), server)
    server.add_insecure_port(collector.endpoint.removeprefix("http://"))
    server.start()
    try:
        yield collector
    finally:
        server.stop(0).wait()


def export_settings(endpoint: str, service: str) -> dict[str, str]:
    """The standard variables that make a program export spans to an OTLP/gRPC endpoint, soon."""
    return {
        "OTEL_SERVICE_NAME": service,
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
    }


def _span(service: str, span: Any) -> Span:
    return Span(
        service=service,
        name=span.name,
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        kind=span.kind,
        attributes=_plain(span.attributes),
    )


def _plain(pairs: Sequence[Any]) -> dict[str, Any]:
    return {p.key: getattr(p.value, p.value.WhichOneof("value") or "string_value") for p in pairs}
