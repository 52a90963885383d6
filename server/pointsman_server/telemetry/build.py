"""Builds `Telemetry` from the standard `OTEL_*` variables."""

from __future__ import annotations

import platform
import random
from collections.abc import Callable, Mapping
from importlib.metadata import version
from uuid import uuid4

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.sdk.version import __version__ as sdk_version

from pointsman_server.core.policy_file import LogRules
from pointsman_server.telemetry import instruments
from pointsman_server.telemetry.attributes import SpanAttributes
from pointsman_server.telemetry.decision_log import DecisionLog
from pointsman_server.telemetry.environment import TelemetryRules, read_environment
from pointsman_server.telemetry.exporters import build_metric_exporters
from pointsman_server.telemetry.exposition import CONTENT_TYPE, exposition
from pointsman_server.telemetry.log_sinks import build_sinks
from pointsman_server.telemetry.log_writer import LineWriter
from pointsman_server.telemetry.metric_export import MetricExport
from pointsman_server.telemetry.metrics import Metrics
from pointsman_server.telemetry.prometheus import PrometheusEndpoint
from pointsman_server.telemetry.resolutions import ResolutionSpanAttributes
from pointsman_server.telemetry.sdk_log import SdkLog
from pointsman_server.telemetry.spans import SCOPE, Spans, build_propagator
from pointsman_server.telemetry.telemetry import Parts, Telemetry
from pointsman_server.telemetry.tracer import HeadTracer
from pointsman_server.telemetry.unfailing import (
    UnfailingObserver,
    UnfailingResolutionObserver,
)
from pointsman_server.telemetry.variables import address


async def build_telemetry(
    *,
    environment: Mapping[str, str],
    log: LogRules,
    prometheus: str | None = None,
    dice: Callable[[], float] = random.random,
) -> Telemetry:
    """What the `OTEL_*` variables of `environment` ask for, running.

    `environment` is the process's own: exporters read some variables themselves. `prometheus` is
    `host:port` (0: a free one) and wins over the variables. Raises `EnvironmentInvalid`,
    `ValueError` for a bad address, and `OSError` where it cannot be listened on.
    """
    rules = read_environment(environment)
    propagator = build_propagator(rules.propagators)
    listen = address(prometheus) if prometheus else rules.prometheus
    metrics = Metrics(version=version("pointsman"), python=platform.python_version())
    parts = _parts(rules, log=log, metrics=metrics, dice=dice)
    try:
        port = await parts.endpoint.start(*listen) if listen else None
    except OSError:
        await parts.aclose(bound=0.1)
        raise
    return Telemetry(
        tracer=HeadTracer(parts.spans.tracer, sampler=rules.sampler, random=dice),
        propagator=propagator,
        metrics=metrics,
        observers=tuple(
            UnfailingObserver(each) for each in (metrics, SpanAttributes(), parts.decision_log)
        ),
        resolution_observers=tuple(
            UnfailingResolutionObserver(each)
            for each in (metrics, ResolutionSpanAttributes(), parts.decision_log)
        ),
        prometheus_port=port,
        parts=parts,
    )


def _parts(
    rules: TelemetryRules, *, log: LogRules, metrics: Metrics, dice: Callable[[], float]
) -> Parts:
    resource = _resource(rules)
    parts = Parts(
        spans=Spans(rules, resource=resource),
        metric_export=_metric_export(rules, metrics, resource),
        decision_log=_decision_log(log, metrics, dice),
        endpoint=PrometheusEndpoint(_page(metrics, resource), content_type=CONTENT_TYPE),
        sdk_log=SdkLog(),
    )
    metrics.watch(
        instruments.EXPORT_FAILURES,
        lambda: {
            ("traces",): parts.spans.failures,
            ("metrics",): parts.metric_export.failures,
        },
    )
    parts.sdk_log.install()
    parts.metric_export.start()
    return parts


def _resource(rules: TelemetryRules) -> Resource:
    # Not `Resource.create`: it starts threads and reads the environment once more.
    return Resource(
        {
            "telemetry.sdk.language": "python",
            "telemetry.sdk.name": "opentelemetry",
            "telemetry.sdk.version": sdk_version,
            "service.version": version("pointsman"),
            # Tells the cumulative sums of replicas apart.
            "service.instance.id": str(uuid4()),
            **rules.resource,
        }
    )


def _page(metrics: Metrics, resource: Resource) -> Callable[[], str]:
    target = {name: str(value) for name, value in resource.attributes.items()}
    return lambda: exposition(metrics.collect(), target=target)


def _metric_export(rules: TelemetryRules, metrics: Metrics, resource: Resource) -> MetricExport:
    return MetricExport(
        metrics,
        exporters=build_metric_exporters(rules.metrics),
        resource=resource,
        scope=InstrumentationScope(SCOPE, version("pointsman")),
        interval=rules.metric_interval,
    )


def _decision_log(log: LogRules, metrics: Metrics, dice: Callable[[], float]) -> DecisionLog:
    writer = LineWriter(build_sinks(log))
    writer.start()
    metrics.watch(instruments.LOG_LINES, lambda: {(): writer.written})
    metrics.watch(
        instruments.LOG_DROPPED,
        lambda: {("queue_full",): writer.overflowed, ("write_failed",): writer.unwritten},
    )
    return DecisionLog(writer, random=dice)
