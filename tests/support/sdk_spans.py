"""Spans of calls as a plain SDK makes them: what the server's own are held against."""

from __future__ import annotations

from collections.abc import Callable

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Tracer
from pointsman_server.core.decision_record import CachedDecisionDetail, DecisionRecord
from pointsman_server.telemetry.attributes import decision_attributes

OF_ITS_OWN = (
    "pointsman.confidence",
    "pointsman.effort",
    "pointsman.ambiguity",
    "pointsman.domain",
)


class SdkSpan:
    """A `DrawnSpan` that is an SDK's span from its beginning."""

    def __init__(self, span: Span) -> None:
        self._span = span

    def open(self) -> Span:
        return self._span

    def end_cached(
        self,
        record: DecisionRecord,
        *,
        decision_id: str,
        detail: Callable[[], CachedDecisionDetail],
    ) -> None:
        said = decision_attributes(record)
        own = zip(OF_ITS_OWN, detail(), strict=True)
        said |= {"pointsman.decision_id": decision_id, "rpc.response.status_code": "OK"}
        for name, value in own:
            said.pop(name, None)
            if value is not None:
                said[name] = value
        self._span.set_attributes(said)
        self._span.end()


class SdkSpans:
    """`CallSpans` over any tracer, which is asked for every call."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def sample(self, method: str, trace: Context | None) -> SdkSpan | None:
        attributes = {"rpc.system.name": "grpc", "rpc.method": method}
        return SdkSpan(self._tracer.start_span(method, trace, SpanKind.SERVER, attributes))

    def unrecorded(self, method: str, trace: Context | None) -> Span:
        raise AssertionError("every call is drawn")
