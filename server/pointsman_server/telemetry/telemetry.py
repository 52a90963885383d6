"""Everything that this room offers, as one value that is closed as one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.trace import Tracer

from pointsman_server.core.policy_file import LogRules
from pointsman_server.core.ports import DecisionObserver
from pointsman_server.core.resolver import ResolutionObserver
from pointsman_server.telemetry.decision_log.log import DecisionLog
from pointsman_server.telemetry.metrics.catalog import (
    CACHE_ENTRIES,
    CIRCUIT,
    CIRCUIT_STATES,
    ENGINE_IN_FLIGHT,
    LOOP_TASKS,
    POLICY_STALE,
    TLS_EXPIRY,
    TLS_RELOADED,
    TLS_RELOADS,
    TOKENS_RELOADED,
    TOKENS_RELOADS,
)
from pointsman_server.telemetry.metrics.endpoint import MetricsEndpoint
from pointsman_server.telemetry.metrics.otlp_bridge import OtlpBridge
from pointsman_server.telemetry.metrics.recorder import Metrics
from pointsman_server.telemetry.service_log.library_log import SdkLog
from pointsman_server.telemetry.tracing.light_span import CallSpans
from pointsman_server.telemetry.tracing.provider import Spans

CLOSING = 3.0
"""Seconds for the last export at shutdown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts that `Telemetry` owns."""

    spans: Spans
    metric_export: OtlpBridge
    decision_log: DecisionLog
    endpoint: MetricsEndpoint
    sdk_log: SdkLog

    async def aclose(self, *, bound: float) -> None:
        """End everything, for little over `bound` seconds."""
        await self.endpoint.aclose()
        await asyncio.gather(
            self.decision_log.aclose(bound=bound),
            self.metric_export.aclose(bound=bound),
            self.spans.aclose(bound=bound),
        )
        self.sdk_log.remove()


@dataclass(frozen=True, slots=True, kw_only=True)
class Telemetry:
    """Spans, metrics and the decision log of one process; no global provider knows of them."""

    tracer: Tracer
    """Opens spans below one that records; and those of calls, for `calls`."""
    calls: CallSpans
    """Decides which calls are recorded."""
    propagator: TextMapPropagator
    """Reads and writes trace headers."""
    metrics: Metrics
    observers: tuple[DecisionObserver, ...]
    """Observers of every decision, called inside its span."""
    resolution_observers: tuple[ResolutionObserver, ...]
    """The same for every resolution of a purpose."""
    prometheus_port: int | None
    """The port of `/metrics`, if it is served."""
    parts: Parts

    @property
    def metrics_page(self) -> Callable[[], Awaitable[bytes]]:
        """Write the page of metrics; its type is `metrics_type`."""
        return self.parts.endpoint.page

    @property
    def metrics_type(self) -> str:
        """The content type of the page of metrics."""
        return self.parts.endpoint.content_type

    @property
    def log_samples(self) -> Callable[[float], bool]:
        """Says, of a rate, whether the decision log wants the call that is about to be decided."""
        return self.parts.decision_log.samples

    def sample_with(self, rate: Callable[[], float]) -> None:
        """Ask `rate` for the share of decisions that the decision log draws."""
        self.parts.decision_log.sample_with(rate)

    def log_to(self, rules: LogRules) -> None:
        """Write the decision log to where `rules` say from now on."""
        self.parts.decision_log.write_to(rules)

    def watch_cache_size(self, size: Callable[[], int]) -> None:
        """Use `size`, and no earlier one, for the number of cache entries in this process."""
        self.metrics.watch(CACHE_ENTRIES, lambda: {(): size()})

    def watch_circuits(self, states: Callable[[], Mapping[str, str]]) -> None:
        """Ask `states`, and no former one, for the state that each engine's circuit is in."""
        self.metrics.watch(
            CIRCUIT,
            lambda: {
                (engine, state): int(state == current)
                for engine, current in states().items()
                for state in CIRCUIT_STATES
            },
        )

    def watch_engine_calls(self, calls: Callable[[], Mapping[str, int]]) -> None:
        """Ask `calls`, and no former one, for each engine's calls under way."""
        self.metrics.watch(ENGINE_IN_FLIGHT, lambda: {(e,): n for e, n in calls().items()})

    def watch_certificates(
        self,
        *,
        expiry: Callable[[], int],
        reloads: Callable[[], Mapping[str, int]],
        reloaded: Callable[[], bool],
    ) -> None:
        """Read the certificate's expiry, the number of reloads, and whether the last succeeded."""
        self.metrics.watch(TLS_EXPIRY, lambda: {(): expiry()})
        self.metrics.watch(TLS_RELOADS, lambda: {(result,): n for result, n in reloads().items()})
        self.metrics.watch(TLS_RELOADED, lambda: {(): int(reloaded())})

    def watch_tokens(
        self, reloads: Callable[[], Mapping[str, int]], *, reloaded: Callable[[], bool]
    ) -> None:
        """Read the number of reloads of the tokens file, and whether the last succeeded."""
        self.metrics.watch(TOKENS_RELOADS, lambda: {(r,): n for r, n in reloads().items()})
        self.metrics.watch(TOKENS_RELOADED, lambda: {(): int(reloaded())})

    def watch_policy_file(self, stale: Callable[[], bool]) -> None:
        """Read from `stale` whether the policy file on disk is not the one in force."""
        self.metrics.watch(POLICY_STALE, lambda: {(): int(stale())})

    def watch_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Count the tasks of `loop`, and of no former one."""
        self.metrics.watch(LOOP_TASKS, lambda: {(): len(asyncio.all_tasks(loop))})

    async def aclose(self, *, bound: float = CLOSING) -> None:
        """Stop serving metrics, and flush everything, for little over `bound` seconds."""
        await self.parts.aclose(bound=bound)
