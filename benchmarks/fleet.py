"""Replicas in virtual time: the server's own caches, an engine that takes its time, and a store.

Each replica stores decisions in the cache of `pointsman serve`, `BoundedMemoryCache`, alone
or as the first level of `TieredCache` over one store for all. Only the network, the store and the
engine are made up, and single flight is a few lines: identical misses that a replica has in
flight share one call. Every engine call decides differently, which is the worst case: a request
whose answer differs from the previous one of its key counts as a change.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from pointsman_server.cache import AiocacheDecisionCache, BoundedMemoryCache
from pointsman_server.cache.local_copies import LocalCopies
from pointsman_server.cache.redis.errors import CacheUnavailable
from pointsman_server.cache.redis.sealed_entry import CacheEntry
from pointsman_server.cache.tiered import TieredCache
from pointsman_server.core.ports import DecisionCache

from benchmarks.trace import Ask

Stickiness: TypeAlias = Literal["exact", "conversation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """A fleet that serves a trace; times in seconds."""

    replicas: int
    affinity: bool = False
    """A conversation stays on one connection, which ends at one replica. Else any replica."""
    shared: bool = False
    """Whether there is a store behind the replicas' memory."""
    connections: int = 256
    """Between all gateways and all replicas, where conversations stay on one."""
    stickiness: Stickiness = "exact"
    engine: float = 0.8
    """Seconds of an engine call; published with the trace's shape."""
    ttl: float = 1_800.0
    recheck: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """An event in the life of a fleet, at a time of its trace."""

    at: float
    dead: Sequence[int] = ()
    """Replicas that die; empty ones take their places, their connections go anywhere."""
    store_away: bool = False
    """From now on the store does not answer."""
    store_back: bool = False
    store_lost: bool = False
    """All that the store had is gone."""


@dataclass(slots=True)
class Seen:
    """Results of a trace."""

    requests: int
    called: list[float] = field(default_factory=list)
    """When the engine was called."""
    changed: list[tuple[float, bytes]] = field(default_factory=list)
    """When, and for which key, a request was answered otherwise than the one before it."""
    shared_calls: int = 0
    """Requests that waited for another one's call."""
    store_commands: int = 0
    busiest: float = 0.0
    """Requests of the replica that had most, as a multiple of a fair share."""

    @property
    def hit_rate(self) -> float:
        """Share of the requests that needed no separate engine call."""
        return 1 - len(self.called) / self.requests


async def serve(
    trace: Sequence[Ask], setup: Setup, *, seed: int = 0, troubles: Iterable[Trouble] = ()
) -> Seen:
    """Play `trace` to a fleet that starts empty."""
    return await _Fleet(setup, random.Random(seed), len(trace)).play(trace, troubles)


class _Now:
    """Virtual time: both clocks are the trace's."""

    def __init__(self) -> None:
        self.at = 0.0

    def monotonic(self) -> float:
        return self.at

    def time(self) -> float:
        return self.at


class _Uncounted:
    """A meter that nobody reads."""

    def cache_lookup(self, result: str) -> None:
        pass

    def cache_write_failed(self) -> None:
        pass


@dataclass(slots=True)
class _Store:
    """The store that replicas share: `SharedStore` in a dictionary."""

    now: Callable[[], float]
    values: dict[bytes, CacheEntry] = field(default_factory=dict)
    commands: int = 0
    away: bool = False

    async def get(self, key: bytes) -> CacheEntry | None:
        self.asked()
        there = self.values.get(key)
        return there if there is not None and there.expires > self.now() else None

    async def add(self, key: bytes, stored: CacheEntry, *, ttl: float) -> CacheEntry | None:  # noqa: ARG002
        there = await self.get(key)
        if there is None:
            self.values[key] = stored
        return there

    async def put(self, key: bytes, stored: CacheEntry, *, ttl: float) -> None:  # noqa: ARG002
        self.asked()
        self.values[key] = stored

    def asked(self) -> None:
        if self.away:
            raise CacheUnavailable("resting")
        self.commands += 1

    async def aclose(self) -> None:
        pass


@dataclass(slots=True)
class _Replica:
    cache: DecisionCache
    served: int = 0
    flights: dict[bytes, list[Ask]] = field(default_factory=dict)


_Step: TypeAlias = Trouble | Ask | tuple[_Replica, bytes, bytes]
"""The next event: trouble, a request, or the end of a replica's engine call for a key."""


class _Fleet:
    def __init__(self, setup: Setup, chance: random.Random, requests: int) -> None:
        self._setup = setup
        self._chance = chance
        self._now = _Now()
        self._store = _Store(self._now.monotonic)
        self._replicas = [_Replica(self._empty()) for _ in range(setup.replicas)]
        self._ends = [self._any() for _ in range(setup.connections)]
        self._connection: dict[int, int] = {}
        self._last: dict[bytes, bytes] = {}
        self._seen = Seen(requests)
        self._coming: list[tuple[float, int, _Step]] = []
        self._steps = 0

    async def play(self, trace: Sequence[Ask], troubles: Iterable[Trouble]) -> Seen:
        for trouble in troubles:
            self._later(trouble.at, trouble)
        for ask in trace:
            self._later(ask.at, ask)
        while self._coming:
            self._now.at, _, step = heapq.heappop(self._coming)
            match step:
                case Trouble():
                    self._suffer(step)
                case Ask():
                    await self._ask(step)
                case replica, key, decision:
                    await self._land(replica, key, decision)
        self._seen.store_commands = self._store.commands
        fair = self._seen.requests / len(self._replicas)
        self._seen.busiest = max(replica.served for replica in self._replicas) / fair
        return self._seen

    def _later(self, at: float, step: _Step) -> None:
        self._steps += 1  # preserves the order of simultaneous events
        heapq.heappush(self._coming, (at, self._steps, step))

    async def _ask(self, ask: Ask) -> None:
        setup = self._setup
        replica = self._replicas[self._place(ask)]
        replica.served += 1
        key = (ask.input if setup.stickiness == "exact" else ask.conversation).to_bytes(16, "big")
        found = await replica.cache.get(key)
        if found is not None:
            self._answered(key, found)
        elif key in replica.flights:
            replica.flights[key].append(ask)
            self._seen.shared_calls += 1
        else:
            replica.flights[key] = [ask]
            self._seen.called.append(self._now.at)
            decision = len(self._seen.called).to_bytes(8, "big")
            self._later(self._now.at + setup.engine, (replica, key, decision))

    async def _land(self, replica: _Replica, key: bytes, decision: bytes) -> None:
        waiting = replica.flights.pop(key, None)
        if waiting is None:
            return  # the replica died; its callers retried
        first = await replica.cache.add(key, decision, ttl=self._setup.ttl)
        for _ in waiting:
            self._answered(key, first or decision)

    def _answered(self, key: bytes, decision: bytes) -> None:
        if self._last.setdefault(key, decision) != decision:
            self._last[key] = decision
            self._seen.changed.append((self._now.at, key))

    def _suffer(self, trouble: Trouble) -> None:
        self._store.away = (self._store.away or trouble.store_away) and not trouble.store_back
        if trouble.store_lost:
            self._store.values.clear()
        for number in trouble.dead:
            gone = self._replicas[number]
            self._replicas[number] = _Replica(self._empty(), gone.served)
            for connection, end in enumerate(self._ends):
                if end == number:
                    self._ends[connection] = self._any()
            for ask in (ask for waiting in gone.flights.values() for ask in waiting):
                self._later(self._now.at, ask)
            gone.flights.clear()

    def _place(self, ask: Ask) -> int:
        if not self._setup.affinity:
            return self._any()
        if ask.conversation not in self._connection:
            self._connection[ask.conversation] = self._chance.randrange(self._setup.connections)
        return self._ends[self._connection[ask.conversation]]

    def _any(self) -> int:
        return self._chance.randrange(self._setup.replicas)

    def _empty(self) -> DecisionCache:
        near = BoundedMemoryCache(max_entries=200_000, now=self._now.monotonic)
        if not self._setup.shared:
            return AiocacheDecisionCache(near, meter=_Uncounted())
        return TieredCache(
            LocalCopies(near, clock=self._now),
            self._store,  # type: ignore[arg-type]  # a store's three commands
            recheck=self._setup.recheck,
            clock=self._now,
            meter=_Uncounted(),
        )
