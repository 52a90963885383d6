"""Spans, metrics and the decision log: the only room that knows the OpenTelemetry SDK.

Other rooms report to `Telemetry.metrics` through callbacks from the composition root.
"""

from pointsman_server.telemetry.build import build_telemetry
from pointsman_server.telemetry.telemetry import Telemetry
from pointsman_server.telemetry.tracing.standalone import tracing

__all__ = ["Telemetry", "build_telemetry", "tracing"]
