"""Spans of calls: recorded calls with a cached decision never use the SDK's span.

An SDK span can be modified from any thread until it ends, which costs locks, bounded attributes and
checks: four times the cost of a cached decision's attributes. So a recorded call starts as a
`LightSpan`, which is little more than two times and two ids. It becomes an SDK span if the call
goes on; if the call is answered at once, it goes to the same processors and exporters as any other.
Its attributes are computed at export, not during the call.

`tests/unit/telemetry/test_call_spans.py` compares both kinds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import time_ns
from types import MappingProxyType
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    INVALID_SPAN,
    INVALID_SPAN_CONTEXT,
    Span,
    SpanContext,
    SpanKind,
    Status,
    TraceFlags,
    get_current_span,
)

from pointsman_server.core.decision_record import CachedDecisionDetail, DecisionRecord
from pointsman_server.lib.bounded_map import BoundedMap
from pointsman_server.telemetry import attributes as a
from pointsman_server.telemetry.safe_observer import LoggedOnce
from pointsman_server.telemetry.tracing.head_tracer import SAMPLED_ROOT, HeadTracer

OF_ITS_OWN: Final = (a.DECISION_ID, a.CONFIDENCE, a.EFFORT, a.AMBIGUITY, a.DOMAIN)
"""Attributes in which cached decisions of one template differ."""
REMEMBERED: Final = 1_024
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_UNSET = Status()


class CallSpans:
    """Decides which calls are recorded, and records those that are answered at once."""

    def __init__(
        self,
        tracer: HeadTracer,
        *,
        processors: Sequence[SpanProcessor] = (),
        ids: IdGenerator | None = None,
        resource: Resource | None = None,
        scope: InstrumentationScope | None = None,
        limited: bool = False,
    ) -> None:
        """`processors` get calls that were answered at once; without `ids` nothing is recorded.

        `limited`: spans have limits, which only the SDK enforces.
        """
        self.tracer = tracer
        self.ids = ids
        self.resource = resource or Resource({})
        self.scope = scope
        self._limited = limited
        self.processors = tuple(processors)
        self.records: BoundedMap[int, tuple[DecisionRecord, Mapping[str, a.AttributeValue]]]
        self.records = BoundedMap(REMEMBERED)
        self.finish: Callable[[LightSpan], None] = LoggedOnce(self._finish)

    def sample(self, method: str, trace: Context | None) -> LightSpan | None:
        """The span of a call that begins; `None`: it is not recorded."""
        if self.ids is None:
            return None
        caller = get_current_span(trace).get_span_context() if trace else INVALID_SPAN_CONTEXT
        if not self.tracer.samples(caller):
            return None
        return LightSpan(self, method, self.ids, trace, caller if caller.is_valid else None)

    def unrecorded(self, method: str, trace: Context | None) -> Span:
        """The placeholder of an unrecorded call's span, which propagates the caller's trace."""
        if trace is None or not get_current_span(trace).get_span_context().is_valid:
            return INVALID_SPAN
        return self.tracer.start_span(method, trace, SpanKind.SERVER)

    def alike(self, record: DecisionRecord) -> Mapping[str, a.AttributeValue]:
        """Common attributes of all spans of decisions like `record`: one value per record."""
        found = self.records.get(id(record))
        if found is None or found[0] is not record:
            said = a.decision_attributes(record) | {a.RPC_SYSTEM: a.GRPC, a.RPC_STATUS: "OK"}
            found = record, {key: said[key] for key in said if key not in OF_ITS_OWN}
            self.records.remember(id(record), found)
        return found[1]

    def _finish(self, span: LightSpan) -> None:
        if self._limited:
            whole = span.open()
            whole.set_attributes(span.said)
            whole.end()
            return
        for processor in self.processors:
            processor.on_end(span)


class LightSpan(ReadableSpan):
    """A started call and, after `end_cached`, the finished span of a cached decision."""

    # Attributes of an SDK span that all of these share; its constructor is not called.
    _kind = SpanKind.SERVER
    _status = _UNSET
    _events = _links = ()
    _instrumentation_info = None

    def __init__(
        self,
        spans: CallSpans,
        method: str,
        ids: IdGenerator,
        trace: Context | None,
        parent: SpanContext | None,
    ) -> None:
        self._start_time = time_ns()
        self._spans = spans
        self._ids = ids
        self._name = method
        self._trace = trace
        self._parent = parent

    def open(self) -> Span:
        """The same as an SDK's span. It does not become current."""
        return self._spans.tracer.start_span(
            self._name,
            SAMPLED_ROOT if self._parent is None else self._trace,
            SpanKind.SERVER,
            {a.RPC_SYSTEM: a.GRPC, a.RPC_METHOD: self._name},
            start_time=self._start_time,
        )

    def end_cached(
        self,
        record: DecisionRecord,
        *,
        decision_id: str,
        detail: Callable[[], CachedDecisionDetail],
    ) -> None:
        """End it with a cached decision like `record`. Never raises."""
        ids, parent, spans = self._ids, self._parent, self._spans
        self._context = SpanContext(
            ids.generate_trace_id() if parent is None else parent.trace_id,
            ids.generate_span_id(),
            is_remote=False,
            trace_flags=_SAMPLED,
            trace_state=None if parent is None else parent.trace_state,
        )
        self._resource, self._instrumentation_scope = spans.resource, spans.scope
        self._record, self._decision_id, self._detail = record, decision_id, detail
        self._end_time = time_ns()
        spans.finish(self)

    @property
    def alike(self) -> Mapping[str, a.AttributeValue]:
        """Attributes of all spans like this one: one value for all of them."""
        return self._spans.alike(self._record)

    def own(self) -> dict[str, a.AttributeValue]:
        """Return the attributes that only this span has."""
        values = (self._decision_id, *self._detail())
        said = {
            name: value for name, value in zip(OF_ITS_OWN, values, strict=True) if value is not None
        }
        return {a.RPC_METHOD: self._name, **said}

    @property
    def said(self) -> dict[str, a.AttributeValue]:
        """All attributes."""
        return {**self.alike, **self.own()}

    @property
    def _attributes(  # type: ignore[override]  # never written: worked out when it is asked for
        self,
    ) -> dict[str, a.AttributeValue]:
        return self.said

    @property
    def attributes(self) -> Any:
        """All attributes, read-only."""
        return MappingProxyType(self.said)
