"""W3C trace context for outgoing calls, where the OpenTelemetry API is installed.

The trace context only: baggage may hold what its writer meant for other eyes.
"""

from __future__ import annotations

try:
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
except ImportError:

    def trace_metadata() -> tuple[tuple[str, str], ...]:
        """Nothing: there is no OpenTelemetry in this process."""
        return ()

else:
    _PROPAGATOR = TraceContextTextMapPropagator()

    def trace_metadata() -> tuple[tuple[str, str], ...]:
        """`traceparent`, and `tracestate` if there is any, of the current span; else nothing."""
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier)
        return tuple(carrier.items())
