"""W3C trace context for outgoing calls, if the OpenTelemetry API is installed.

The trace context only: baggage may hold data for other recipients.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

try:
    from opentelemetry import context, trace
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
except ImportError:

    def trace_metadata() -> tuple[tuple[str, str], ...]:
        """Nothing: there is no OpenTelemetry in this process."""
        return ()

    def current_trace() -> Any:
        """Return `None`: OpenTelemetry is not installed."""
        return None

    @contextmanager
    def in_trace(_trace: Any) -> Iterator[None]:
        """Do nothing: OpenTelemetry is not installed."""
        yield

    @contextmanager
    def in_trace_of(headers: Mapping[str, str]) -> Iterator[None]:  # noqa: ARG001  # as below
        """There is no OpenTelemetry in this process to pass a trace on with."""
        yield

else:
    _PROPAGATOR = TraceContextTextMapPropagator()

    def trace_metadata() -> tuple[tuple[str, str], ...]:
        """`traceparent`, and `tracestate` if there is any, of the current span; else nothing."""
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier)
        return tuple(carrier.items())

    def current_trace() -> Any:
        """The current span's ids, to be resumed by `in_trace`; nothing else of its context."""
        span = trace.NonRecordingSpan(trace.get_current_span().get_span_context())
        return trace.set_span_in_context(span, context.Context())

    @contextmanager
    def in_trace(_trace: Any) -> Iterator[None]:
        """Work inside the block belongs to the remembered trace."""
        token = context.attach(_trace)
        try:
            yield
        finally:
            context.detach(token)

    @contextmanager
    def in_trace_of(headers: Mapping[str, str]) -> Iterator[None]:
        """Calls inside the block belong to the trace that a request's headers carry.

        For gateways that do not trace themselves. Names of headers are in lower case; where they
        carry no trace, the current one stays.
        """
        token = context.attach(_PROPAGATOR.extract(headers))
        try:
            yield
        finally:
            context.detach(token)
