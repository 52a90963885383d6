"""The runtime of one policy file: built as a whole for each version, and swapped at once."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import Awaitable, Callable
from importlib.metadata import version

from pointsman_server.bootstrap.caches import CachePart, build_cache
from pointsman_server.bootstrap.engines import EngineBuilder, EnginePart, settings_of
from pointsman_server.bootstrap.runtime_parts import RuntimeParts, wire
from pointsman_server.bootstrap.system import SystemResources
from pointsman_server.chain.fair_scheduling import FairScheduler
from pointsman_server.core.description import Description
from pointsman_server.core.errors import Problem
from pointsman_server.core.ids import DecisionIds
from pointsman_server.core.keys import Keys
from pointsman_server.core.policy_file import PolicyFile
from pointsman_server.engines.local import LocalEngine
from pointsman_server.policies.schema import Loaded
from pointsman_server.telemetry import Telemetry


class Runtime:
    """The decider in force. Cache, connections and circuits outlive a reload that spares them."""

    def __init__(
        self,
        *,
        ambient: SystemResources,
        telemetry: Telemetry,
        hash_key: bytes,
        hash_key_is_shared: bool,
    ) -> None:
        self._ambient = ambient
        self._hash_key_is_shared = hash_key_is_shared
        self._telemetry = telemetry
        self._keys = Keys(hash_key)
        self.turns = FairScheduler()
        self._engines = EngineBuilder(turns=self.turns, ambient=ambient, telemetry=telemetry)
        self._new_id = DecisionIds(clock=ambient.clock, entropy=ambient.entropy)
        self.parts: RuntimeParts | None = None
        self._warnings: tuple[Problem, ...] = ()
        self._leaving: set[asyncio.Task[None]] = set()

    def service(self) -> RuntimeParts:
        """The service of the version in force: a `transport.service.Service`."""
        if self.parts is None:
            raise RuntimeError("no policy file has been applied")
        return self.parts

    @property
    def rules(self) -> PolicyFile:
        """The version in force."""
        return self.service().rules

    def cache_size(self) -> int:
        """Entries in this process."""
        return self.service().cache.size()

    def circuits(self) -> dict[str, str]:
        """The state that the circuit of each engine with one is in."""
        return {e.name: e.breaker.state for e in self.service().engines if e.breaker}

    def engine_calls(self) -> dict[str, int]:
        """Calls under way of each engine with a bound on them."""
        return {e.name: e.bounded.inside for e in self.service().engines if e.bounded}

    async def apply(self, loaded: Loaded) -> None:
        """Put a policy file in force. Raises, and changes nothing, where its parts do not build."""
        before, after = self.parts, await self._build(loaded.policy_file)
        self.parts, self._warnings = after, loaded.warnings
        rules = loaded.policy_file
        self._telemetry.sample_with(lambda: after.switches.sample_rate)
        self._telemetry.metrics.policy(version=rules.version, mode=rules.mode)
        if before is not None:
            self._retire(before, after)
            # A collection that walks ten thousand models stalls calls for half a second. Parsing
            # leaves no cyclic garbage behind, so nothing is lost.
            gc.freeze()

    async def describe(
        self, *, loaded_at: float, reload_problems: tuple[Problem, ...]
    ) -> Description:
        """The configuration in force."""
        parts = self.service()
        switches = await parts.switches.current()
        problems = (engine.problem(switches) for engine in parts.engines)
        return Description(
            rules=parts.rules,
            engines=tuple(
                e.describe(switches, failures=self._telemetry.metrics.engine_failures(e.name))
                for e in parts.engines
                if e.name in parts.rules.engines
            ),
            loaded_at=loaded_at,
            reload_problems=reload_problems,
            warnings=(*self._warnings, *filter(None, problems)),
            server_version=version("pointsman"),
        )

    async def aclose(self) -> None:
        """Close connections and the cache."""
        for task in tuple(self._leaving):
            task.cancel()
        await asyncio.gather(*self._leaving, return_exceptions=True)
        if self.parts is not None:
            for engine in self.parts.engines:
                await engine.aclose()
            await self.parts.cache.aclose()

    async def _build(self, rules: PolicyFile) -> RuntimeParts:
        """Build the parts of a version. Where one does not build, the new ones are closed."""
        async with contextlib.AsyncExitStack() as unfinished:
            parts = await self._built(rules, unfinished)
            unfinished.pop_all()
        return parts

    async def _built(
        self, rules: PolicyFile, unfinished: contextlib.AsyncExitStack
    ) -> RuntimeParts:
        before = self.parts
        # In a thread: reading the artefact would hold up calls for some milliseconds.
        local = await asyncio.to_thread(LocalEngine.load, rules.local)
        names = dict.fromkeys((*rules.engines, rules.classify_engine))
        engines = tuple(self._engine(name, rules, local) for name in names if name is not None)
        for engine in engines:
            if before is None or engine not in before.engines:
                unfinished.push_async_callback(engine.aclose)
        cache = await self._cache(rules)
        if before is None or cache is not before.cache:
            unfinished.push_async_callback(cache.aclose)
        return wire(
            rules,
            local=local,
            engines=engines,
            cache=cache,
            ambient=self._ambient,
            telemetry=self._telemetry,
            keys=self._keys,
            new_id=self._new_id,
        )

    def _engine(self, name: str, rules: PolicyFile, local: LocalEngine) -> EnginePart:
        """Keep a remote engine of the version before, with its connections, if nothing changed."""
        before = self.parts.engine(name) if self.parts is not None else None
        if before is not None and before.client is not None:
            third_party = rules.is_third_party(name)
            same = before.built_from == settings_of(name, rules)
            if same and before.third_party == third_party:
                return before
        return self._engines.build(name, rules, local=local)

    async def _cache(self, rules: PolicyFile) -> CachePart:
        before = self.parts
        if before is not None and before.cache.serves(rules.cache):
            return before.cache
        return await build_cache(
            rules.cache,
            ambient=self._ambient,
            telemetry=self._telemetry,
            seal_key=self._keys.derived("seals") if self._hash_key_is_shared else None,
        )

    def _retire(self, before: RuntimeParts, after: RuntimeParts) -> None:
        """Move the log, and close unused parts once their calls have ended."""
        if before.rules.log != after.rules.log:
            self._telemetry.log_to(after.rules.log)
        for engine in before.engines:
            if engine not in after.engines:
                self._later(engine.timeout, engine.aclose)
        if before.cache is not after.cache:
            longest = max((engine.timeout for engine in before.engines), default=0.0)
            self._later(longest, before.cache.aclose)

    def _later(self, seconds: float, close: Callable[[], Awaitable[None]]) -> None:
        async def leave() -> None:
            try:
                await asyncio.sleep(seconds)
            finally:
                await close()

        task = asyncio.create_task(leave())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
