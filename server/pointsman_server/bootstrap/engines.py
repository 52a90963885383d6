"""The engines that a policy file names, each behind its own wall."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from pointsman_server.bootstrap.secrets import RecordingKeySource
from pointsman_server.bootstrap.system import SystemResources
from pointsman_server.chain.bulkhead import Bulkhead
from pointsman_server.chain.circuit_breaker import Breaker
from pointsman_server.chain.error_boundary import ErrorBoundary
from pointsman_server.chain.fair_scheduling import FairScheduler, ScheduledEngine
from pointsman_server.chain.instrumented import Instrumented
from pointsman_server.core.description import EngineDescription, EngineState
from pointsman_server.core.eligible_engines import THIRD_PARTY
from pointsman_server.core.policy_file import MorphRules
from pointsman_server.core.ports import DecisionEngine
from pointsman_server.engines import morph
from pointsman_server.engines.keys import key_source
from pointsman_server.engines.local import LocalEngine
from pointsman_server.lib.circuit_breaker import Circuit
from pointsman_server.telemetry import Telemetry

LOCAL = "local"
MORPH = morph.NAME

_STATES = {
    Circuit.CLOSED: EngineState.READY,
    Circuit.OPEN: EngineState.CIRCUIT_OPEN,
    Circuit.HALF_OPEN: EngineState.CIRCUIT_HALF_OPEN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EnginePart:
    """An engine as the chain asks it, and what else its owner needs of it."""

    name: str
    engine: DecisionEngine
    breaker: Breaker | None = None
    bounded: Bulkhead | None = None
    transport: httpx.AsyncBaseTransport | None = None

    async def aclose(self) -> None:
        """Close its connections, if it has any."""
        if self.transport is not None:
            await self.transport.aclose()

    def describe(self, *, flag_on: bool, failures: Mapping[str, int]) -> EngineDescription:
        """Whether it is asked at this moment; `failures` by stage."""
        third_party = self.name in THIRD_PARTY
        breaker, bounded = self.breaker, self.bounded
        state = _STATES[breaker.state] if breaker else EngineState.READY
        return EngineDescription(
            name=self.name,
            state=state if flag_on or not third_party else EngineState.FLAG_OFF,
            consecutive_failures=breaker.consecutive_failures if breaker else 0,
            third_party=third_party,
            probing=breaker.probing if breaker else False,
            in_flight=bounded.inside if bounded else 0,
            max_in_flight=bounded.limit if bounded else 0,
            failures=failures,
        )


def build_local(
    local: LocalEngine, *, turns: FairScheduler, ambient: SystemResources, telemetry: Telemetry
) -> EnginePart:
    """The embedded engine."""
    engine: DecisionEngine = ErrorBoundary(local, name=LOCAL)
    engine = ScheduledEngine(engine, turns=turns)
    engine = Instrumented(
        engine,
        name=LOCAL,
        tracer=telemetry.tracer,
        meter=telemetry.metrics.engine_call,
        clock=ambient.clock,
    )
    return EnginePart(name=LOCAL, engine=engine)


def build_morph(
    rules: MorphRules, *, turns: FairScheduler, ambient: SystemResources, telemetry: Telemetry
) -> EnginePart:
    """Morph's router over a client of its own, which the part's owner closes."""

    def propagate(headers: MutableMapping[str, str]) -> None:
        telemetry.propagator.inject(headers)

    transport = morph.build_transport(rules)
    engine: DecisionEngine = morph.MorphEngine(
        transport,
        rules=rules,
        key=RecordingKeySource(
            key_source(
                file=rules.key_file, variable=rules.key_env, environment=ambient.environment
            ),
            ambient.secrets,
        ),
        clock=ambient.clock,
        propagate=propagate,
    )
    engine = ErrorBoundary(engine, name=morph.NAME)
    engine = ScheduledEngine(engine, turns=turns)
    breaker = Breaker(
        engine,
        name=morph.NAME,
        rules=rules.breaker,
        clock=ambient.clock,
        meter=telemetry.metrics,
    )
    bounded = Bulkhead(
        breaker,
        name=morph.NAME,
        limit=rules.max_in_flight,
        on_refused=telemetry.metrics.engine_refused,
    )
    url = urlsplit(rules.url)
    engine = Instrumented(
        bounded,
        name=morph.NAME,
        tracer=telemetry.tracer,
        meter=telemetry.metrics.engine_call,
        clock=ambient.clock,
        http={
            "http.request.method": "POST",
            "server.address": url.hostname or "",
            "url.path": morph.PATH,
        },
    )
    return EnginePart(
        name=morph.NAME, engine=engine, breaker=breaker, bounded=bounded, transport=transport
    )
