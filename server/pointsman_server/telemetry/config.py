"""The configuration in the standard `OTEL_*` variables, as values.

Follows the OpenTelemetry specification's "environment variables" and "OTLP exporter" pages, with
one difference: nothing is exported unless an endpoint or an exporter is named.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

from pointsman_server.core.errors import Problem
from pointsman_server.telemetry.variables import (
    OTLP_PREFIX,
    PREFIX,
    SAMPLERS,
    Environment,
    OtelVariables,
    OtlpVariables,
)

GRPC = "grpc"
HTTP = "http/protobuf"
OTLP = "otlp"
CONSOLE = "console"
PROMETHEUS = "prometheus"
NONE = "none"

_BATCH_SIZE = 512
_TIMEOUT = 10_000
"""Milliseconds."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class OtlpTarget:
    """The destination of one signal."""

    protocol: str
    endpoint: str | None
    """A URL, for HTTP with the signal's path; `None`: the exporter's own default."""
    headers: Mapping[str, str]
    timeout: float
    """Seconds for one batch, retries included."""

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of OpenTelemetry's exporters."""
        headers = {key.lower(): value for key, value in self.headers.items()}
        return {"endpoint": self.endpoint, "headers": headers, "timeout": self.timeout}


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalRules:
    """The exporters of one signal; `otlp` is set if it is one of them."""

    exporters: tuple[str, ...]
    otlp: OtlpTarget | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplerRules:
    """Rules for recording calls."""

    share: float
    """Of the calls without a caller's decision, 0 to 1."""
    follow_caller: bool
    """Whether the sampled flag of an incoming trace decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRules:
    """When finished spans are sent."""

    delay: float
    """Seconds."""
    size: int
    queue: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetryRules:
    """All that the variables say."""

    resource: Mapping[str, str]
    propagators: tuple[str, ...]
    sampler: SamplerRules
    spans: SignalRules
    batch: BatchRules
    metrics: SignalRules
    metric_interval: float
    """Seconds."""
    prometheus: tuple[str, int] | None
    """Host and port of the Prometheus endpoint, if `OTEL_METRICS_EXPORTER` names it."""
    problems: tuple[Problem, ...] = ()
    """Variables that cannot be used."""
    unused: frozenset[str] = frozenset()
    """Names of variables that count as unset."""

    def warn(self) -> None:
        """Log every variable that cannot be used."""
        for problem in self.problems:
            _log.warning("environment variable ignored: %s: %s", problem.path, problem.message)


def read_environment(environ: Mapping[str, str], *, service: str = "pointsman") -> TelemetryRules:
    """Read `environ`; `service` is this program's name unless it gives one.

    A variable that cannot be used is in the result's `problems` and counts as unset.
    """
    env = Environment(environ)
    common = env.read(OtelVariables, PREFIX)
    shared = env.read(OtlpVariables, OTLP_PREFIX)
    off = common.sdk_disabled == "true"
    spans = _signal(env, "TRACES", common.traces_exporter, shared=shared, off=off)
    metrics = _signal(
        env, "METRICS", common.metrics_exporter, shared=shared, off=off, also=(PROMETHEUS,)
    )
    others = tuple(name for name in metrics.exporters if name != PROMETHEUS)
    return TelemetryRules(
        resource=_resource(common, service),
        propagators=_propagators(env, common),
        sampler=_sampler(common),
        spans=spans,
        batch=_batch(env, common),
        metrics=SignalRules(exporters=others, otlp=metrics.otlp),
        metric_interval=common.metric_export_interval / 1_000,
        prometheus=(
            (common.exporter_prometheus_host, common.exporter_prometheus_port)
            if PROMETHEUS in metrics.exporters
            else None
        ),
        problems=env.problems,
        unused=env.unused,
    )


def _resource(v: OtelVariables, service: str) -> dict[str, str]:
    resource = v.resource_attributes
    name = v.service_name or resource.get("service.name") or service
    return resource | {"service.name": name}


def _propagators(env: Environment, v: OtelVariables) -> tuple[str, ...]:
    if "none" in v.propagators:
        return ()
    known = {entry.name for entry in entry_points(group="opentelemetry_propagator")}
    if unknown := [name for name in v.propagators if name not in known]:
        env.ignore("OTEL_PROPAGATORS", f"not installed: {', '.join(unknown)}")
    found = tuple(name for name in v.propagators if name in known)
    return found or ("tracecontext",)


def _sampler(v: OtelVariables) -> SamplerRules:
    share, follow_caller = SAMPLERS[v.traces_sampler]
    share = v.traces_sampler_arg if share is None else share
    return SamplerRules(share=share, follow_caller=follow_caller)


def _batch(env: Environment, v: OtelVariables) -> BatchRules:
    queue, size = v.bsp_max_queue_size, v.bsp_max_export_batch_size
    if size is not None and size > queue:
        env.ignore("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "must not exceed OTEL_BSP_MAX_QUEUE_SIZE")
        size = None
    return BatchRules(
        delay=v.bsp_schedule_delay / 1_000,
        size=min(_BATCH_SIZE, queue) if size is None else size,
        queue=queue,
    )


def _signal(
    env: Environment,
    signal: str,
    named: tuple[str, ...] | None,
    *,
    shared: OtlpVariables,
    off: bool,
    also: tuple[str, ...] = (),
) -> SignalRules:
    own = env.read(OtlpVariables, f"{OTLP_PREFIX}{signal}_")
    target = _target(env, signal, own=own, shared=shared)
    exporters: tuple[str, ...] = (OTLP,) if target.endpoint else ()
    if named is not None:
        of = (OTLP, CONSOLE, NONE, *also)
        chosen = tuple(name.lower() for name in named)
        known = tuple(name for name in chosen if name in of)
        if len(known) < len(chosen):
            env.ignore(f"OTEL_{signal}_EXPORTER", f"must be some of {', '.join(of)}")
        exporters = () if NONE in known else (known or exporters)
    if off:
        return SignalRules(exporters=(), otlp=None)
    return SignalRules(exporters=exporters, otlp=target if OTLP in exporters else None)


def _target(
    env: Environment, signal: str, *, own: OtlpVariables, shared: OtlpVariables
) -> OtlpTarget:
    protocol = own.protocol or shared.protocol or GRPC
    for variables, prefix in ((own, f"{OTLP_PREFIX}{signal}_"), (shared, OTLP_PREFIX)):
        if protocol == GRPC and variables.compression == "deflate":
            env.ignore(f"{prefix}COMPRESSION", "must be gzip or none for gRPC")
        if protocol == HTTP and variables.endpoint and not _is_http(variables.endpoint):
            env.ignore(f"{prefix}ENDPOINT", "must be an http:// or https:// URL")
    headers = own.headers if own.headers is not None else (shared.headers or {})
    return OtlpTarget(
        protocol=protocol,
        endpoint=_endpoint(signal, protocol, own=own.endpoint, shared=shared.endpoint),
        headers=headers,
        timeout=(own.timeout or shared.timeout or _TIMEOUT) / 1_000,
    )


def _endpoint(signal: str, protocol: str, *, own: str | None, shared: str | None) -> str | None:
    if protocol == GRPC:
        return own or shared
    if own and _is_http(own):
        return own
    if shared and _is_http(shared):
        return f"{shared.rstrip('/')}/v1/{signal.lower()}"
    return None


def _is_http(url: str) -> bool:
    return url.lower().startswith(("http://", "https://"))
