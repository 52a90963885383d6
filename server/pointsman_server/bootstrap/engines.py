"""The engines that a policy file names, each behind its own error boundary."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pointsman_server.bootstrap.secrets import RecordingKeySource
from pointsman_server.bootstrap.system import SystemResources
from pointsman_server.chain.bulkhead import Bulkhead
from pointsman_server.chain.circuit_breaker import Breaker
from pointsman_server.chain.error_boundary import ErrorBoundary
from pointsman_server.chain.fair_scheduling import FairScheduler, ScheduledEngine
from pointsman_server.chain.instrumented import Instrumented
from pointsman_server.core.description import EngineDescription, EngineState
from pointsman_server.core.engine_rules import RemoteRules
from pointsman_server.core.errors import Problem, SourceUnreadable
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
from pointsman_server.engines.remote.keys import KeySource, key_source
from pointsman_server.lib.circuit_breaker import Circuit
from pointsman_server.telemetry import Telemetry

if TYPE_CHECKING:
    # `engines.remote` imports it at run time, without its command line.
    import httpx

_STATES = {
    Circuit.CLOSED: EngineState.READY,
    Circuit.OPEN: EngineState.CIRCUIT_OPEN,
    Circuit.HALF_OPEN: EngineState.CIRCUIT_HALF_OPEN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EnginePart:
    """An engine for the chain, with the handles that its owner needs."""

    name: str
    engine: DecisionEngine
    source: Source = Source.LOCAL
    built_from: object = None
    """The settings that it was built from: while they stay the same, a reload keeps it."""
    third_party: bool = False
    breaker: Breaker | None = None
    bounded: Bulkhead | None = None
    client: httpx.AsyncClient | None = None
    timeout: float = 0.0
    """Seconds that a call may take."""
    classifier: Classifier | None = None
    key: KeySource | None = None

    async def aclose(self) -> None:
        """Close its connections, if it has any."""
        if self.client is not None:
            await self.client.aclose()

    def describe(self, switches: SwitchValues, *, failures: Mapping[str, int]) -> EngineDescription:
        """Whether it is called at this moment; `failures` by stage."""
        breaker, bounded = self.breaker, self.bounded
        return EngineDescription(
            name=self.name,
            state=self._state(switches),
            consecutive_failures=breaker.consecutive_failures if breaker else 0,
            third_party=self.third_party,
            probing=breaker.probing if breaker else False,
            in_flight=bounded.inside if bounded else 0,
            max_in_flight=bounded.limit if bounded else 0,
            failures=failures,
        )

    def _state(self, switches: SwitchValues) -> EngineState:
        if not switches.permits(self.source):
            return EngineState.FLAG_OFF
        if self.problem(switches) is not None:
            return EngineState.NO_KEY
        return _STATES[self.breaker.state] if self.breaker else EngineState.READY

    def problem(self, switches: SwitchValues) -> Problem | None:
        """Return the reason for which each call fails although the engine is switched on."""
        if self.key is None or not switches.permits(self.source):
            return None
        try:
            self.key.read()
        except SourceUnreadable as error:
            above = "engines.decision_models" if self.source is not Source.MORPH else "engines"
            message = f"is switched on and has no key, so that each call fails: {error}"
            return Problem(f"{above}.{self.name}", message)
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """All that one remote engine has for itself."""

    path: str
    codec: RemoteCodec
    rules: RemoteRules
    key_required: bool = False
    """Whether a call without a configured key fails; otherwise it is sent without one."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Further attributes of its spans."""


def _morph(_name: str, rules: PolicyFile, _local: LocalEngine) -> Wire:
    return Wire(path=morph.PATH, codec=morph.MorphCodec(), rules=rules.morph, key_required=True)


def _decision_model(name: str, rules: PolicyFile, local: LocalEngine) -> Wire:
    settings = rules.decision_models[name]
    return Wire(
        path=path_of(settings),
        codec=DecisionModelCodec(name, settings, rule=local),
        rules=settings,
        # OpenTelemetry's conventions for generative AI.
        attributes={
            "gen_ai.operation.name": "decision",
            "gen_ai.request.model": settings.model,
        },
    )


WIRES: Mapping[Source, Callable[[str, PolicyFile, LocalEngine], Wire]] = {
    Source.MORPH: _morph,
    Source.DECISION_MODEL: _decision_model,
}
"""Remote engines; everything else about them is the same (docs/write-an-engine.md)."""


class EngineBuilder:
    """Builds engines over shared resources."""

    def __init__(
        self, *, turns: FairScheduler, ambient: SystemResources, telemetry: Telemetry
    ) -> None:
        self._turns = turns
        self._ambient = ambient
        self._telemetry = telemetry

    def build(self, name: str, rules: PolicyFile, *, local: LocalEngine) -> EnginePart:
        """Build engine `name` of a policy file."""
        source = rules.source_of(name)
        if source is Source.LOCAL:
            return self._local(name, local)
        part = self.remote(name, WIRES[source](name, rules, local))
        third_party = rules.is_third_party(name)
        return replace(
            part, source=source, third_party=third_party, built_from=settings_of(name, rules)
        )

    def remote(self, name: str, wire: Wire) -> EnginePart:
        """Put the layers around a remote engine, a line a layer."""
        metrics, clock, rules = self._telemetry.metrics, self._ambient.clock, wire.rules
        client = build_client(rules)
        key = self._key(wire)
        caller = self._caller(client, name=name, wire=wire, key=key)
        engine: DecisionEngine = RemoteEngine(caller, wire.codec)
        engine = ErrorBoundary(engine, name=name)
        engine = ScheduledEngine(engine, turns=self._turns)
        breaker = Breaker(engine, name=name, rules=rules.breaker, clock=clock, meter=metrics)
        bounded = Bulkhead(
            breaker, name=name, limit=rules.max_in_flight, on_refused=metrics.engine_refused
        )
        address = {
            "http.request.method": "POST",
            "server.address": urlsplit(rules.url).hostname or rules.url,
            "url.path": wire.path,
        }
        classifier = None
        if isinstance(wire.codec, DecisionModelCodec):
            classifier = DecisionModelClassifier(
                caller, wire.codec, is_open=lambda: breaker.state is Circuit.OPEN
            )
        return EnginePart(
            name=name,
            engine=self._instrumented(bounded, name, http={**address, **wire.attributes}),
            breaker=breaker,
            bounded=bounded,
            client=client,
            timeout=rules.timeout,
            classifier=classifier,
            key=key,
        )

    def _local(self, name: str, local: LocalEngine) -> EnginePart:
        engine: DecisionEngine = ErrorBoundary(local, name=name)
        engine = ScheduledEngine(engine, turns=self._turns)
        engine = self._instrumented(engine, name)
        return EnginePart(name=name, engine=engine)

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

    def _key(self, wire: Wire) -> KeySource | None:
        rules, ambient = wire.rules, self._ambient
        if not (wire.key_required or rules.key_file is not None or rules.key_env is not None):
            return None
        source = key_source(
            file=rules.key_file, variable=rules.key_env, environment=ambient.environment
        )
        return RecordingKeySource(source, ambient.secrets)

    def _caller(
        self, client: httpx.AsyncClient, *, name: str, wire: Wire, key: KeySource | None
    ) -> RemoteCaller:
        telemetry = self._telemetry

        def propagate(headers: MutableMapping[str, str]) -> None:
            telemetry.propagator.inject(headers)

        return RemoteCaller(
            client,
            name=name,
            path=wire.path,
            rules=wire.rules,
            key=key,
            clock=self._ambient.clock,
            propagate=propagate,
        )


def settings_of(name: str, rules: PolicyFile) -> object:
    """Give all that engine `name` is built from."""
    match rules.source_of(name):
        case Source.MORPH:
            return rules.morph
        case Source.DECISION_MODEL:
            return rules.decision_models[name], rules.local
        case Source.LOCAL:
            return rules.local
