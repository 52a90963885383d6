"""The parts of one version of the policy file, and how they are wired."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pointsman_server.bootstrap.caches import CachePart, build_switches
from pointsman_server.bootstrap.chain import build_chain
from pointsman_server.bootstrap.engines import EnginePart
from pointsman_server.bootstrap.system import SystemResources
from pointsman_server.chain.cached import CachedConversations
from pointsman_server.chain.parallel_classification import BackgroundClassifier
from pointsman_server.core.candidate_plan import Planner
from pointsman_server.core.decider import Decider
from pointsman_server.core.keys import Keys
from pointsman_server.core.policy_file import PolicyFile
from pointsman_server.core.resolver import Resolver
from pointsman_server.core.router import Router
from pointsman_server.engines.local import LocalEngine
from pointsman_server.engines.local.turn_reader import LocalTurnReader
from pointsman_server.flags import RememberedSwitches
from pointsman_server.telemetry import Telemetry
from pointsman_server.transport.fast_path.answer_codec import WireCodec
from pointsman_server.transport.fast_path.fast_path import FastPath


@dataclass(frozen=True, slots=True)
class RuntimeParts:
    """One version of the policy file with its parts."""

    rules: PolicyFile
    engines: tuple[EnginePart, ...]
    cache: CachePart
    switches: RememberedSwitches
    decider: Decider
    resolver: Resolver
    fast_path: FastPath
    log_samples: Callable[[float], bool]

    def log_sampled(self) -> bool | None:
        """Whether the decision log wants the next call; `None` while its rate is not known."""
        switches = self.switches
        return None if switches.remembered() is None else self.log_samples(switches.sample_rate)

    def engine(self, name: str) -> EnginePart | None:
        """The engine of this name, if the policy file has one."""
        return next((e for e in self.engines if e.name == name), None)


def wire(
    rules: PolicyFile,
    *,
    local: LocalEngine,
    engines: tuple[EnginePart, ...],
    cache: CachePart,
    ambient: SystemResources,
    telemetry: Telemetry,
    keys: Keys,
    new_id: Callable[[], str],
) -> RuntimeParts:
    """Wire the decider, the resolver and the fast path of a version."""
    codec = WireCodec()
    switches = build_switches(rules.flags, ambient=ambient, cache=cache)
    chain = build_chain(
        rules,
        engines={e.name: e.engine for e in engines},
        cache=cache.cache,
        codec=codec,
        clock=ambient.clock,
    )
    memory = CachedConversations(
        cache=cache.cache,
        slots=cache.slots,
        codec=codec,
        rules=rules.cache,
        tracer=telemetry.tracer,
        now=ambient.clock.time,
        on_lookup=telemetry.metrics.cache_lookup,
        writes=cache.writes,
    )
    planner = Planner(rules)
    router = Router(
        rules=rules,
        planner=planner,
        engine=chain,
        memory=memory,
        reader=LocalTurnReader(local.quick_estimate),
        clock=ambient.clock,
        new_id=new_id,
    )
    decider = Decider(
        router=router,
        switches=switches,
        # Classification is independent of the deciding engine.
        classification=BackgroundClassifier(
            local,
            budget=rules.classify_budget,
            tracer=telemetry.tracer,
            remote=next((e.classifier for e in engines if e.name == rules.classify_engine), None),
        ),
        keys=keys,
        observers=telemetry.observers,
    )
    resolver = Resolver(
        rules=rules,
        decider=decider,
        switches=switches,
        keys=keys,
        clock=ambient.clock,
        observers=telemetry.resolution_observers,
    )
    fast_path = FastPath(
        rules=rules,
        planner=planner,
        keys=keys,
        switches=switches.remembered,
        peek=cache.peek,
        writes=cache.writes,
        new_id=new_id,
        clock=ambient.clock,
        meter=telemetry.metrics,
    )
    return RuntimeParts(
        rules, engines, cache, switches, decider, resolver, fast_path, telemetry.log_samples
    )
