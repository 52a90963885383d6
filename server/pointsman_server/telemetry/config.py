"""What the standard `OTEL_*` variables ask for, as values.

Follows the OpenTelemetry specification's "environment variables" and "OTLP exporter" pages, with
one difference: nothing is exported unless an endpoint or an exporter is named, since a service that
nobody watches should not knock on a port of its host.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pointsman_server.lib.host_port import HIGHEST_PORT
from pointsman_server.telemetry.variables import Variables

GRPC = "grpc"
HTTP = "http/protobuf"
OTLP = "otlp"
CONSOLE = "console"
PROMETHEUS = "prometheus"

_SAMPLERS = {
    "always_on": (1.0, False),
    "always_off": (0.0, False),
    "traceidratio": (None, False),
    "parentbased_always_on": (1.0, True),
    "parentbased_always_off": (0.0, True),
    "parentbased_traceidratio": (None, True),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OtlpTarget:
    """Where one signal goes."""

    protocol: str
    endpoint: str | None
    """A URL, for HTTP with the signal's path; `None`: the exporter's own default."""
    headers: Mapping[str, str]
    timeout: float
    """Seconds for one batch, retries included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalRules:
    """The exporters of one signal; `otlp` is set if it is one of them."""

    exporters: tuple[str, ...]
    otlp: OtlpTarget | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplerRules:
    """Which calls are recorded."""

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
    """Host and port of the Prometheus endpoint, if `OTEL_METRICS_EXPORTER` asks for one."""


def read_environment(environ: Mapping[str, str], *, service: str = "pointsman") -> TelemetryRules:
    """Read `environ`; `service` is this program's name unless it gives one.

    Raises `EnvironmentInvalid`, which names every bad variable.
    """
    v = Variables(environ)
    off = v.flag("OTEL_SDK_DISABLED")
    metrics, prometheus = _metrics(v, off=off)
    rules = TelemetryRules(
        resource=_resource(v, service),
        propagators=_propagators(v),
        sampler=_sampler(v),
        spans=_signal(v, "TRACES", off=off),
        batch=_batch(v),
        metrics=metrics,
        metric_interval=v.number("OTEL_METRIC_EXPORT_INTERVAL", default=60_000, least=1) / 1_000,
        prometheus=prometheus,
    )
    v.check()
    return rules


def _resource(v: Variables, service: str) -> dict[str, str]:
    resource = v.pairs("OTEL_RESOURCE_ATTRIBUTES")
    name = v.text("OTEL_SERVICE_NAME") or resource.get("service.name") or service
    return resource | {"service.name": name}


def _propagators(v: Variables) -> tuple[str, ...]:
    # The standard's default adds `baggage`; we leave it out, for engine calls would carry whatever
    # a gateway keeps in its baggage on to a third party.
    text = v.text("OTEL_PROPAGATORS") or "tracecontext"
    names = tuple(dict.fromkeys(n.strip() for n in text.split(",") if n.strip()))
    return () if "none" in names else names


def _sampler(v: Variables) -> SamplerRules:
    name = v.choice("OTEL_TRACES_SAMPLER", of=_SAMPLERS, default="parentbased_always_on")
    share, follow_caller = _SAMPLERS[name]
    if share is None:
        share = v.number("OTEL_TRACES_SAMPLER_ARG", default=1.0, most=1.0)
    return SamplerRules(share=share, follow_caller=follow_caller)


def _batch(v: Variables) -> BatchRules:
    queue = int(v.number("OTEL_BSP_MAX_QUEUE_SIZE", default=2_048, least=1))
    size = int(v.number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", default=min(512, queue), least=1))
    if size > queue:
        v.problem("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "must not exceed OTEL_BSP_MAX_QUEUE_SIZE")
    delay = v.number("OTEL_BSP_SCHEDULE_DELAY", default=5_000, least=1) / 1_000
    return BatchRules(delay=delay, size=size, queue=queue)


def _metrics(v: Variables, *, off: bool) -> tuple[SignalRules, tuple[str, int] | None]:
    rules = _signal(v, "METRICS", off=off, also=(PROMETHEUS,))
    if PROMETHEUS not in rules.exporters:
        return rules, None
    others = tuple(name for name in rules.exporters if name != PROMETHEUS)
    host = v.text("OTEL_EXPORTER_PROMETHEUS_HOST") or "localhost"
    port = int(v.number("OTEL_EXPORTER_PROMETHEUS_PORT", default=9464, most=HIGHEST_PORT))
    return SignalRules(exporters=others, otlp=rules.otlp), (host, port)


def _signal(v: Variables, signal: str, *, off: bool, also: tuple[str, ...] = ()) -> SignalRules:
    endpoint = v.text(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    exporters = v.choices(
        f"OTEL_{signal}_EXPORTER",
        of=(OTLP, CONSOLE, "none", *also),
        default=(OTLP,) if endpoint else (),
    )
    if off:
        return SignalRules(exporters=(), otlp=None)
    return SignalRules(exporters=exporters, otlp=_target(v, signal) if OTLP in exporters else None)


def _target(v: Variables, signal: str) -> OtlpTarget:
    def names(what: str) -> tuple[str, str]:
        return f"OTEL_EXPORTER_OTLP_{signal}_{what}", f"OTEL_EXPORTER_OTLP_{what}"

    protocol = v.choice(*names("PROTOCOL"), of=(GRPC, HTTP), default=GRPC)
    for what in ("CERTIFICATE", "CLIENT_KEY", "CLIENT_CERTIFICATE"):
        v.file(*names(what))
    # The gRPC exporter refuses the others when it is built.
    v.choice(
        *names("COMPRESSION"),
        of=("gzip",) if protocol == GRPC else ("gzip", "deflate", "none"),
        default="gzip",
    )
    return OtlpTarget(
        protocol=protocol,
        endpoint=_endpoint(v, signal, protocol),
        headers=v.pairs(*names("HEADERS")),
        timeout=v.number(*names("TIMEOUT"), default=10_000, least=1) / 1_000,
    )


def _endpoint(v: Variables, signal: str, protocol: str) -> str | None:
    own, common = f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"
    found = v.named(own, common)
    if found is None:
        return None
    name, url = found
    if "@" in url:
        # An exporter's error quotes its endpoint.
        v.problem(name, "must hold no credentials; send them as OTEL_EXPORTER_OTLP_HEADERS")
    if protocol == GRPC:
        return url
    if not url.lower().startswith(("http://", "https://")):
        v.problem(name, "must be an http:// or https:// URL")
    return url if name == own else f"{url.rstrip('/')}/v1/{signal.lower()}"
