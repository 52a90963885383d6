"""Stand-ins for the world, each with a memory of what was asked of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from pointsman_server.cache.redis.errors import CacheUnavailable
from pointsman_server.cache.redis.sealed_entry import CacheEntry
from pointsman_server.core.decision_record import DecisionRecord, DecisionView
from pointsman_server.core.errors import EngineFailed
from pointsman_server.core.model import (
    Classification,
    EngineAnswer,
    EngineFailure,
    EngineQuery,
    Prompt,
    SwitchValues,
)

from support.builders import answer


class FakeClock:
    """Both clocks stand still until told."""

    def __init__(self, *, now: float = 1_000.0, epoch: float = 1_790_000_000.0) -> None:
        self.now = now
        self.epoch = epoch

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.epoch

    def advance(self, seconds: float) -> None:
        self.now += seconds
        self.epoch += seconds


def failed(stage: str, *, engine: str = "morph", elapsed: float = 0.0) -> EngineFailed:
    """One engine's failure."""
    return EngineFailed(EngineFailure(engine=engine, stage=stage), elapsed=elapsed)


class ScriptedEngine:
    """Gives its script's steps in order, the last one for ever.

    A step is an answer, an exception to raise, or a function of the query that gives either.
    While `gate` is closed, calls wait.
    """

    def __init__(self, *script: object, gate: asyncio.Event | None = None) -> None:
        self.script = list(script) or [answer()]
        self.gate = gate
        self.queries: list[EngineQuery] = []
        self.cancelled = 0

    @property
    def calls(self) -> int:
        return len(self.queries)

    async def decide(self, query: EngineQuery) -> EngineAnswer:
        step = self.script[min(self.calls, len(self.script) - 1)]
        self.queries.append(query)
        if self.gate is not None:
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        if callable(step):
            step = step(query)
        if isinstance(step, Awaitable):
            step = await step
        if isinstance(step, BaseException):
            raise step
        assert isinstance(step, EngineAnswer)
        return step


class RecordingCache:
    """A `DecisionCache` in a dictionary that notes its calls; lifetimes are noted, not kept."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}
        self.ttls: dict[bytes, float] = {}
        self.calls: list[tuple[str, bytes]] = []
        self.closed = 0

    async def get(self, key: bytes) -> bytes | None:
        self.calls.append(("get", key))
        return self.values.get(key)

    async def put(self, key: bytes, value: bytes, *, ttl: float) -> None:
        self.calls.append(("put", key))
        self.values[key] = value
        self.ttls[key] = ttl

    async def add(self, key: bytes, value: bytes, *, ttl: float) -> bytes | None:
        self.calls.append(("add", key))
        if key in self.values:
            return self.values[key]
        self.values[key] = value
        self.ttls[key] = ttl
        return None

    async def aclose(self) -> None:
        self.closed += 1


class DictStore:
    """What replicas share, in a dictionary; while it is `away`, whatever is asked of it fails."""

    def __init__(self) -> None:
        self.values: dict[bytes, CacheEntry] = {}
        self.away = False

    async def get(self, key: bytes) -> CacheEntry | None:
        self._asked()
        return self.values.get(key)

    async def put(self, key: bytes, stored: CacheEntry, *, ttl: float) -> None:
        self._asked()
        self.values[key] = stored

    async def add(self, key: bytes, stored: CacheEntry, *, ttl: float) -> CacheEntry | None:
        self._asked()
        there = self.values.get(key)
        self.values.setdefault(key, stored)
        return there

    async def aclose(self) -> None:
        pass

    def _asked(self) -> None:
        if self.away:
            raise CacheUnavailable("resting")


class ScriptedSource:
    """A `SwitchSource` over a mapping; a value that is an exception is raised."""

    def __init__(self, texts: Mapping[str, str | Exception] | None = None) -> None:
        self.texts = dict(texts or {})
        self.reads: list[str] = []

    async def read(self, name: str) -> str | None:
        self.reads.append(name)
        text = self.texts.get(name)
        if isinstance(text, Exception):
            raise text
        return text


class FixedSwitches:
    """`Switches` that hold what they are told."""

    def __init__(
        self, *, morph_router_enabled: bool = True, decision_model_enabled: bool = True
    ) -> None:
        self.morph_router_enabled = morph_router_enabled
        self.decision_model_enabled = decision_model_enabled
        self.reads = 0

    async def current(self) -> SwitchValues:
        self.reads += 1
        return SwitchValues(
            morph_router_enabled=self.morph_router_enabled,
            decision_model_enabled=self.decision_model_enabled,
        )


class FixedClassification:
    """A `ClassificationLeg` with a value that is ready at once, or never."""

    def __init__(self, value: Classification | None = None) -> None:
        self.value = value
        self.prompts: list[Prompt] = []

    @asynccontextmanager
    async def beside(
        self, prompt: Prompt, *, remote: bool = False
    ) -> AsyncIterator[Callable[[], Classification | None]]:
        self.prompts.append(prompt)
        yield lambda: self.value


class RecordingObserver:
    """Keeps every record."""

    def __init__(self) -> None:
        self.records: list[DecisionRecord] = []

    def on_decision(self, told: DecisionView) -> None:
        self.records.append(told.materialise())


class RecordingMeter:
    """Counts what caches, engines and RPCs tell."""

    def __init__(self) -> None:
        self.lookups: list[str] = []
        self.failed_writes = 0
        self.engine_calls: list[tuple[str, float, str | None]] = []
        self.circuits: list[tuple[str, str]] = []
        self.probes: list[tuple[str, str]] = []
        self.engines_refused: list[str] = []
        self.inside = 0
        self.most_inside = 0
        self.refused = 0
        self.calls: list[tuple[str | None, str | None, str]] = []

    def cache_lookup(self, result: str) -> None:
        self.lookups.append(result)

    def cache_write_failed(self) -> None:
        self.failed_writes += 1

    def engine_call(self, engine: str, *, seconds: float, stage: str | None = None) -> None:
        self.engine_calls.append((engine, seconds, stage))

    def circuit_entered(self, engine: str, state: str) -> None:
        self.circuits.append((engine, str(state)))

    def probed(self, engine: str, result: str) -> None:
        self.probes.append((engine, str(result)))

    def engine_refused(self, engine: str) -> None:
        self.engines_refused.append(engine)

    def in_flight(self, change: int) -> None:
        self.inside += change
        self.most_inside = max(self.most_inside, self.inside)

    def shed(self) -> None:
        self.refused += 1

    def call(self, method: str | None, *, caller: str | None, status: str) -> None:
        self.calls.append((method, caller, status))


async def settle(turns: int = 10) -> None:
    """Let every task that can go on go on."""
    for _ in range(turns):
        await asyncio.sleep(0)
