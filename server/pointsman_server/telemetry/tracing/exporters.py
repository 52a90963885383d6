"""Exporters of spans. They are imported only where one is configured.

Certificates and compression are left to the exporters, which read their standard variables from
the process's environment; `config` has checked them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SpanExporter, SpanExportResult

from pointsman_server.telemetry.config import GRPC, OTLP, OtlpTarget, SignalRules


def build_span_exporters(rules: SignalRules) -> tuple[SpanExporter, ...]:
    """Build an exporter for each name in `rules`."""
    return tuple(
        _otlp_spans(rules.otlp)
        if name == OTLP and rules.otlp
        # Standard output belongs to the decision log.
        else ConsoleSpanExporter(out=sys.stderr)
        for name in rules.exporters
    )


def _otlp_spans(target: OtlpTarget) -> SpanExporter:
    if target.protocol == GRPC:
        from pointsman_server.telemetry.tracing.otlp_grpc import QuickSpanExporter  # noqa: PLC0415

        return QuickSpanExporter(**target.arguments)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter as OTLPHttpSpanExporter,
    )

    return OTLPHttpSpanExporter(**target.arguments)


class CountingSpanExporter(SpanExporter):
    """Passes spans on; counts them, and the batches that were not taken."""

    def __init__(self, delegate: SpanExporter) -> None:
        self._delegate = delegate
        self._closed = False
        self.failures = 0
        self.given = 0
        """Spans passed to the exporter, sent or not."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send `spans`; blocks. After the end they are lost and counted, and no line is logged."""
        self.given += len(spans)
        if self._closed:
            self.failures += 1
            return SpanExportResult.FAILURE
        try:
            result = self._delegate.export(spans)
        except Exception:
            self.failures += 1
            raise
        if result is not SpanExportResult.SUCCESS:
            self.failures += 1
        return result

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush the delegate."""
        return self._delegate.force_flush(timeout_millis)

    def shutdown(self) -> None:
        """Let go of the connection; an export under way is cut off."""
        self._closed = True
        self._delegate.shutdown()
