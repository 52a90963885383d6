"""Finished spans as the bytes of an OTLP request, in a third of the SDK's time.

The SDK's encoder builds a message object for every attribute of every span, in the interpreter
that answers calls: with every call sampled it takes longer than the calls. This module
produces the same bytes as the SDK's encoder; `tests/unit/telemetry/test_otlp_encoding.py` compares
them, message by message.

Field numbers are those of opentelemetry-proto 1.x (`trace.proto`, `common.proto`,
`resource.proto`); each tag is the number shifted by three, with the wire type in its lower bits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from struct import Struct
from typing import Any, Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    INVALID_SPAN_CONTEXT,
    Link,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceState,
)

from pointsman_server.lib.bounded_map import BoundedMap
from pointsman_server.lib.protobuf_wire import tagged
from pointsman_server.telemetry.attributes import DECISION_ID
from pointsman_server.telemetry.tracing.light_span import LightSpan
from pointsman_server.telemetry.tracing.otlp_values import (
    attribute_field,
    attribute_fields,
    count_field,
    text_field,
)

AT_ONCE: Final = 32
"""Spans after which the encoding thread lets others run: 0.2 ms."""

_REMEMBERED: Final = 2_048
_LONGEST_REMEMBERED: Final = 128
_KINDS: Final = {
    SpanKind.INTERNAL: b"\x30\x01",
    SpanKind.SERVER: b"\x30\x02",
    SpanKind.CLIENT: b"\x30\x03",
    SpanKind.PRODUCER: b"\x30\x04",
    SpanKind.CONSUMER: b"\x30\x05",
}
_NO_STATUS: Final = b"\x7a\x00"
_SERVER: Final = _KINDS[SpanKind.SERVER]
_HAS_IS_REMOTE: Final = 0x100
_IS_REMOTE: Final = 0x200
_FIXED64: Final = Struct("<BQ").pack
_MOMENTS: Final = Struct("<BQBQ").pack
_FLAGS: Final = Struct("<HI").pack


class SpanEncoder:
    """Encodes batches. Remembers short texts, most of which repeat from call to call."""

    def __init__(self, *, yield_to_others: Callable[[], None] = lambda: time.sleep(0)) -> None:
        self._texts: BoundedMap[tuple[str, str], bytes] = BoundedMap(_REMEMBERED)
        self._alike: BoundedMap[tuple[int, str], tuple[Mapping[str, Any], bytes, bytes]]
        self._alike = BoundedMap(_REMEMBERED)
        self._yield = yield_to_others

    def encode(self, spans: Sequence[ReadableSpan]) -> bytes:
        """An `ExportTraceServiceRequest`, grouped by resource and scope."""
        grouped: dict[Resource, dict[InstrumentationScope | None, list[bytes]]] = {}
        resource = scope = encoded = None
        for number, span in enumerate(spans, start=1):
            # Nearly always the same objects; looking a resource up hashes all of it.
            if (
                encoded is None
                or span.resource is not resource
                or span.instrumentation_scope is not scope
            ):
                resource, scope = span.resource, span.instrumentation_scope
                encoded = grouped.setdefault(resource, {}).setdefault(scope, [])
            written = self._cached(span) if isinstance(span, LightSpan) else self._span(span)
            encoded.append(tagged(b"\x12", written))
            if number % AT_ONCE == 0:
                self._yield()
        return b"".join(
            tagged(b"\x0a", self._resource_spans(resource, scopes))
            for resource, scopes in grouped.items()
        )

    def _resource_spans(
        self, resource: Resource, scopes: Mapping[InstrumentationScope | None, list[bytes]]
    ) -> bytes:
        about = b"".join(attribute_fields(b"\x0a", resource.attributes))
        parts = [tagged(b"\x0a", about)]
        for scope, spans in scopes.items():
            url = text_field(b"\x1a", scope.schema_url if scope else None)
            parts.append(
                tagged(b"\x12", b"".join((tagged(b"\x0a", self._scope(scope)), *spans, url)))
            )
        return b"".join((*parts, text_field(b"\x1a", resource.schema_url)))

    def _scope(self, scope: InstrumentationScope | None) -> bytes:
        if scope is None:
            return b""
        named = text_field(b"\x0a", scope.name) + text_field(b"\x12", scope.version)
        return named + b"".join(attribute_fields(b"\x1a", scope.attributes))

    def _span(self, span: ReadableSpan) -> bytes:
        context = span.get_span_context() or INVALID_SPAN_CONTEXT
        parent, status = span.parent, span.status
        told = b""
        if status.status_code is not StatusCode.UNSET:
            told = text_field(b"\x12", status.description) + count_field(
                b"\x18", status.status_code.value
            )
        parts = [
            b"\x0a\x10" + context.trace_id.to_bytes(16, "big"),
            b"\x12\x08" + context.span_id.to_bytes(8, "big"),
            _state(context.trace_state),
            b"\x22\x08" + parent.span_id.to_bytes(8, "big") if parent else b"",
            text_field(b"\x2a", span.name),
            _KINDS[span.kind],
            _FIXED64(0x39, span.start_time) if span.start_time else b"",
            _FIXED64(0x41, span.end_time) if span.end_time else b"",
            *self._pairs(span.attributes),
            count_field(b"\x50", span.dropped_attributes),
            *(tagged(b"\x5a", self._event(event)) for event in span.events),
            count_field(b"\x60", span.dropped_events),
            *(tagged(b"\x6a", self._link(link)) for link in span.links),
            count_field(b"\x70", span.dropped_links),
            tagged(b"\x7a", told),
            _FLAGS(0x0185, _flags(parent)),
        ]
        return b"".join(parts)

    def _event(self, event: Event) -> bytes:
        return b"".join(
            (
                _FIXED64(0x09, event.timestamp) if event.timestamp else b"",
                text_field(b"\x12", event.name),
                *attribute_fields(b"\x1a", event.attributes),
                count_field(b"\x20", event.dropped_attributes),
            )
        )

    def _link(self, link: Link) -> bytes:
        return b"".join(
            (
                b"\x0a\x10" + link.context.trace_id.to_bytes(16, "big"),
                b"\x12\x08" + link.context.span_id.to_bytes(8, "big"),
                *attribute_fields(b"\x22", link.attributes),
                count_field(b"\x28", link.dropped_attributes),
                b"\x35" + _flags(link.context).to_bytes(4, "little"),
            )
        )

    def _cached(self, span: LightSpan) -> bytes:
        """The same for a cached decision, which has no events, no links and no losses."""
        alike, method, parent = span.alike, span.name, span.parent
        known = self._alike.get((id(alike), method))
        if known is None or known[0] is not alike:
            about = text_field(b"\x2a", method) + _SERVER + _NO_STATUS
            known = alike, about, b"".join(self._pairs(alike))
            self._alike.remember((id(alike), method), known)
        context = span.context
        parts = (
            b"\x0a\x10",
            context.trace_id.to_bytes(16, "big"),
            b"\x12\x08",
            context.span_id.to_bytes(8, "big"),
            b"" if parent is None else _state(context.trace_state),
            b"" if parent is None else b"\x22\x08" + parent.span_id.to_bytes(8, "big"),
            known[1],
            _MOMENTS(0x39, span.start_time, 0x41, span.end_time),
            known[2],
            *self._pairs(span.own()),
            _FLAGS(0x0185, _flags(parent)),
        )
        return b"".join(parts)

    def _pairs(self, attributes: Mapping[str, Any] | None) -> list[bytes]:
        """Attributes of a span itself: the same texts come again and again."""
        if not attributes:
            return []
        # A span's attributes are two wrappers around a dictionary, which is quicker to copy.
        copy = getattr(attributes, "copy", None)
        remembered = self._texts
        found: list[bytes] = []
        for item in (copy() if copy else attributes).items():
            encoded = remembered.get(item) if type(item[1]) is str else None
            if encoded is None:
                encoded = attribute_field(b"\x4a", *item)
                # An id never repeats, and would evict values that do.
                short = type(item[1]) is str and len(encoded) <= _LONGEST_REMEMBERED
                if short and item[0] != DECISION_ID:
                    remembered.remember(item, encoded)
            found.append(encoded)
        return found


def _state(state: TraceState | None) -> bytes:
    return text_field(b"\x1a", ",".join(f"{k}={v}" for k, v in state.items())) if state else b""


def _flags(context: SpanContext | None) -> int:
    return _HAS_IS_REMOTE | (_IS_REMOTE if context and context.is_remote else 0)
