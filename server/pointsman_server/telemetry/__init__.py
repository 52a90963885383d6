"""Spans, metrics and the decision log: the only room that knows the OpenTelemetry SDK.

What other rooms report reaches `Telemetry.metrics` through callbacks that the composition root
hands them.
"""

from pointsman_server.telemetry.build import build_telemetry
from pointsman_server.telemetry.telemetry import Telemetry
from pointsman_server.telemetry.tracing.standalone import tracing

__all__ = ["Telemetry", "build_telemetry", "tracing"]
