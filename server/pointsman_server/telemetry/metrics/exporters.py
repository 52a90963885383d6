"""Exporters of metrics. They are imported only where one is configured."""

from __future__ import annotations

import sys

from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, MetricExporter

from pointsman_server.telemetry.config import GRPC, OTLP, OtlpTarget, SignalRules


def build_metric_exporters(rules: SignalRules) -> tuple[MetricExporter, ...]:
    """Build an exporter for each name in `rules`."""
    return tuple(
        _otlp_metrics(rules.otlp)
        if name == OTLP and rules.otlp
        else ConsoleMetricExporter(out=sys.stderr)
        for name in rules.exporters
    )


def _otlp_metrics(target: OtlpTarget) -> MetricExporter:
    if target.protocol == GRPC:
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import (  # noqa: PLC0415
            OTLPMetricExporter,
        )

        return OTLPMetricExporter(**target.arguments)
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import (  # noqa: PLC0415
        OTLPMetricExporter as OTLPHttpMetricExporter,
    )

    return OTLPHttpMetricExporter(**target.arguments)
