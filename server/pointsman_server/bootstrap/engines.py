"""The engines that a policy file names, each behind its own error boundary."""

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
from pointsman_server.core.engine_rules import DecisionModelRules, RemoteRules
from pointsman_server.core.model import Source, SwitchValues
from pointsman_server.core.policy_file import PolicyFile
from pointsman_server.core.ports import Classifier, DecisionEngine
from pointsman_server.engines import morph
from pointsman_server.engines.decision_model.classifier import DecisionModelClassifier
from pointsman_server.engines.decision_model.codec import DecisionModelCodec, path_of
from pointsman_server.engines.local import LocalEngine
from pointsman_server.engines.remote.caller import RemoteCaller
from pointsman_server.engines.remote.client import build_client
from pointsman_server.engines.remote.engine import RemoteCodec, RemoteEngine
from pointsman_server.engines.remote.keys import key_source
from pointsman_server.lib.circuit_breaker import Circuit
from pointsman_server.telemetry import Telemetry

_STATES = {
    Circuit.CLOSED: EngineState.READY,
    Circuit.OPEN: EngineState.CIRCUIT_OPEN,
    Circuit.HALF_OPEN: EngineState.CIRCUIT_HALF_OPEN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EnginePart:
    """An engine as the chain calls it, and what else its owner needs of it."""

    name: str
    source: Source
    engine: DecisionEngine
    built_from: object = None
    """The settings that it was built from: while they stay the same, a reload keeps it."""
    third_party: bool = False
    breaker: Breaker | None = None
    bounded: Bulkhead | None = None
    client: httpx.AsyncClient | None = None
    timeout: float = 0.0
    """Seconds that a call may take."""
    classifier: Classifier | None = None

    async def aclose(self) -> None:
        """Close its connections, if it has any."""
        if self.client is not None:
            await self.client.aclose()

    def describe(self, switches: SwitchValues, *, failures: Mapping[str, int]) -> EngineDescription:
        """Whether it is called at this moment; `failures` by stage."""
        breaker, bounded = self.breaker, self.bounded
        state = _STATES[breaker.state] if breaker else EngineState.READY
        return EngineDescription(
            name=self.name,
            state=state if switches.permits(self.source) else EngineState.FLAG_OFF,
            consecutive_failures=breaker.consecutive_failures if breaker else 0,
            third_party=self.third_party,
            probing=breaker.probing if breaker else False,
            in_flight=bounded.inside if bounded else 0,
            max_in_flight=bounded.limit if bounded else 0,
            failures=failures,
        )


class EngineBuilder:
    """Builds engines over what they share; a new remote engine is one method here."""

    def __init__(
        self, *, turns: FairScheduler, ambient: SystemResources, telemetry: Telemetry
    ) -> None:
        self._turns = turns
        self._ambient = ambient
        self._telemetry = telemetry

    def settings(self, name: str, rules: PolicyFile) -> object:
        """Give all that engine `name` is built from."""
        match rules.source_of(name):
            case Source.MORPH:
                return rules.morph
            case Source.DECISION_MODEL:
                return rules.decision_models[name], rules.local
            case Source.LOCAL:
                return rules.local

    def build(self, name: str, rules: PolicyFile, *, local: LocalEngine) -> EnginePart:
        """Build engine `name` of a policy file."""
        match rules.source_of(name):
            case Source.MORPH:
                return self._morph(name, rules)
            case Source.DECISION_MODEL:
                return self._decision_model(name, rules, local)
            case Source.LOCAL:
                return self._local(name, local)

    def _local(self, name: str, local: LocalEngine) -> EnginePart:
        engine: DecisionEngine = ErrorBoundary(local, name=name)
        engine = ScheduledEngine(engine, turns=self._turns)
        engine = self._instrumented(engine, name)
        return EnginePart(name=name, source=Source.LOCAL, engine=engine)

    def _morph(self, name: str, rules: PolicyFile) -> EnginePart:
        client = build_client(rules.morph)
        caller = self._caller(client, name=name, path=morph.PATH, rules=rules.morph)
        return self._remote(
            name,
            caller=caller,
            codec=morph.MorphCodec(),
            client=client,
            rules=rules,
            settings=rules.morph,
            attributes={"url.path": morph.PATH},
        )

    def _decision_model(self, name: str, rules: PolicyFile, local: LocalEngine) -> EnginePart:
        settings = rules.decision_models[name]
        client = build_client(settings)
        caller = self._caller(client, name=name, path=path_of(settings), rules=settings)
        codec = DecisionModelCodec(name, settings, rule=local)
        return self._remote(
            name,
            caller=caller,
            codec=codec,
            client=client,
            rules=rules,
            settings=settings,
            attributes=_gen_ai(settings),
        )

    def _remote(
        self,
        name: str,
        *,
        caller: RemoteCaller,
        codec: RemoteCodec,
        client: httpx.AsyncClient,
        rules: PolicyFile,
        settings: RemoteRules,
        attributes: Mapping[str, str],
    ) -> EnginePart:
        """Put the layers around a remote engine, a line a layer."""
        metrics, clock = self._telemetry.metrics, self._ambient.clock
        engine: DecisionEngine = RemoteEngine(caller, codec)
        engine = ErrorBoundary(engine, name=name)
        engine = ScheduledEngine(engine, turns=self._turns)
        breaker = Breaker(engine, name=name, rules=settings.breaker, clock=clock, meter=metrics)
        bounded = Bulkhead(
            breaker, name=name, limit=settings.max_in_flight, on_refused=metrics.engine_refused
        )
        address = {
            "http.request.method": "POST",
            "server.address": urlsplit(settings.url).hostname or settings.url,
        }
        classifier = None
        if isinstance(codec, DecisionModelCodec):
            classifier = DecisionModelClassifier(
                caller, codec, is_open=lambda: breaker.state is Circuit.OPEN
            )
        return EnginePart(
            name=name,
            source=rules.source_of(name),
            engine=self._instrumented(bounded, name, http={**address, **attributes}),
            built_from=self.settings(name, rules),
            third_party=rules.is_third_party(name),
            breaker=breaker,
            bounded=bounded,
            client=client,
            timeout=settings.timeout,
            classifier=classifier,
        )

    def _instrumented(
        self, engine: DecisionEngine, name: str, *, http: Mapping[str, str] | None = None
    ) -> DecisionEngine:
        return Instrumented(
            engine,
            name=name,
            tracer=self._telemetry.tracer,
            meter=self._telemetry.metrics.engine_call,
            clock=self._ambient.clock,
            http=http,
        )

    def _caller(
        self, client: httpx.AsyncClient, *, name: str, path: str, rules: RemoteRules
    ) -> RemoteCaller:
        telemetry, ambient = self._telemetry, self._ambient

        def propagate(headers: MutableMapping[str, str]) -> None:
            telemetry.propagator.inject(headers)

        key = None
        if name == morph.NAME or rules.key_file is not None or rules.key_env is not None:
            source = key_source(
                file=rules.key_file, variable=rules.key_env, environment=ambient.environment
            )
            key = RecordingKeySource(source, ambient.secrets)
        return RemoteCaller(
            client,
            name=name,
            path=path,
            rules=rules,
            key=key,
            clock=ambient.clock,
            propagate=propagate,
        )


def _gen_ai(rules: DecisionModelRules) -> dict[str, str]:
    """Span attributes of OpenTelemetry's conventions for generative AI."""
    return {
        "url.path": path_of(rules),
        "gen_ai.operation.name": "decision",
        "gen_ai.request.model": rules.model,
    }
