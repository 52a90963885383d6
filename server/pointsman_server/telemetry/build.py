"""Builds `Telemetry` from the standard `OTEL_*` variables."""

from __future__ import annotations

import os
import platform
import random
from collections.abc import Callable, Mapping
from functools import partial
from importlib.metadata import version
from socket import gaierror

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client import CollectorRegistry

from pointsman_server.core.errors import SettingInvalid
from pointsman_server.core.policy_file import LogRules
from pointsman_server.lib.host_port import HIGHEST_PORT, parse_host_port
from pointsman_server.telemetry.attributes import ResolutionSpanAttributes, SpanAttributes
from pointsman_server.telemetry.config import TelemetryRules, read_environment
from pointsman_server.telemetry.decision_log.log import DecisionLog
from pointsman_server.telemetry.decision_log.sinks import build_sinks
from pointsman_server.telemetry.decision_log.writer import LineWriter
from pointsman_server.telemetry.metrics import catalog as instruments
from pointsman_server.telemetry.metrics.endpoint import MetricsEndpoint
from pointsman_server.telemetry.metrics.exporters import build_metric_exporters
from pointsman_server.telemetry.metrics.families import underscored
from pointsman_server.telemetry.metrics.otlp_bridge import OtlpBridge
from pointsman_server.telemetry.metrics.page import CONTENT_TYPE, page
from pointsman_server.telemetry.metrics.recorder import Metrics
from pointsman_server.telemetry.safe_observer import (
    SafeObserver,
    SafeResolutionObserver,
)
from pointsman_server.telemetry.service_log.library_log import SdkLog
from pointsman_server.telemetry.telemetry import Parts, Telemetry
from pointsman_server.telemetry.tracing.head_tracer import HeadTracer
from pointsman_server.telemetry.tracing.provider import (
    SCOPE,
    Spans,
    build_propagator,
    build_resource,
)
from pointsman_server.telemetry.variables import hidden

_ADDRESS = "POINTSMAN_METRICS_LISTEN"
_STANDARD_ADDRESS = "OTEL_EXPORTER_PROMETHEUS_HOST and OTEL_EXPORTER_PROMETHEUS_PORT"


async def build_telemetry(
    *,
    environment: Mapping[str, str],
    log: LogRules,
    prometheus: str | None = None,
    dice: Callable[[], float] = random.random,
    worker: int | None = None,
) -> Telemetry:
    """Start the telemetry that the `OTEL_*` variables of `environment` configure.

    `environment` must be the process's: exporters read some variables themselves. `prometheus` is
    `host:port` (0: a free one) and overrides the variables. The `worker`th of several processes
    listens that many ports above. Raises `ValueError` for a bad address, and
    `SettingInvalid` if listening fails.
    """
    rules = read_environment(environment)
    rules.warn()
    propagator = build_propagator(rules.propagators)
    listen = _next_to(parse_host_port(prometheus) if prometheus else rules.prometheus, worker)
    metrics = Metrics(version=version("pointsman"), python=platform.python_version())
    parts = _parts(build_resource(rules, worker), rules, log=log, metrics=metrics, dice=dice)
    try:
        port = await parts.endpoint.start(*listen) if listen else None
    except OSError as error:
        await parts.aclose(bound=0.1)
        setting = _ADDRESS if prometheus else _STANDARD_ADDRESS
        raise SettingInvalid(setting, _refusal(listen, worker, error)) from None
    tracer = HeadTracer(parts.spans.tracer, sampler=rules.sampler, random=dice)
    return Telemetry(
        tracer=tracer,
        calls=parts.spans.calls(tracer),
        propagator=propagator,
        metrics=metrics,
        observers=(
            SafeObserver(metrics),
            SafeObserver(SpanAttributes()),
            SafeObserver(parts.decision_log),
        ),
        resolution_observers=tuple(
            SafeResolutionObserver(each)
            for each in (metrics, ResolutionSpanAttributes(), parts.decision_log)
        ),
        prometheus_port=port,
        parts=parts,
    )


def _refusal(listen: tuple[str, int] | None, worker: int | None, error: OSError) -> str:
    """In place of asyncio's text, which names no setting."""
    host, port = listen or ("", 0)
    whose = f" for worker {worker}" if worker else ""
    why = error.strerror if isinstance(error, gaierror) else os.strerror(error.errno or 0)
    return f"cannot listen on {host}:{port}{whose}: {why}"


def _next_to(listen: tuple[str, int] | None, worker: int | None) -> tuple[str, int] | None:
    """The worker's own port beside the one that was given; a free one stays a free one."""
    if listen is None or not listen[1]:
        return listen
    port = listen[1] + (worker or 0)
    if port > HIGHEST_PORT:
        why = f"worker {worker} has no port left for its metrics above {listen[1]}"
        raise SettingInvalid(_ADDRESS, why)
    return listen[0], port


def _parts(
    resource: Resource,
    rules: TelemetryRules,
    *,
    log: LogRules,
    metrics: Metrics,
    dice: Callable[[], float],
) -> Parts:
    registry = _registry(metrics, resource)
    parts = Parts(
        spans=Spans(rules, resource=resource),
        metric_export=_metric_export(rules, registry, resource),
        decision_log=_decision_log(log, metrics, dice),
        endpoint=MetricsEndpoint(partial(page, registry), content_type=CONTENT_TYPE),
        sdk_log=SdkLog(),
    )
    metrics.watch(
        instruments.EXPORT_FAILURES,
        lambda: {
            ("traces",): parts.spans.failures,
            ("metrics",): parts.metric_export.failures,
        },
    )
    metrics.watch(instruments.SPANS_DROPPED, lambda: {(): parts.spans.dropped})
    parts.sdk_log.install()
    parts.metric_export.start()
    return parts


def _registry(metrics: Metrics, resource: Resource) -> CollectorRegistry:
    target = {underscored(name): str(value) for name, value in resource.attributes.items()}
    registry = CollectorRegistry(auto_describe=False, target_info=target)
    registry.register(metrics)
    return registry


def _metric_export(
    rules: TelemetryRules, registry: CollectorRegistry, resource: Resource
) -> OtlpBridge:
    with hidden(rules.unused):
        exporters = build_metric_exporters(rules.metrics)
    return OtlpBridge(
        registry,
        exporters=exporters,
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
