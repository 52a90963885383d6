"""One replica's caches over a shared store, as the composition root builds them."""

from __future__ import annotations

from collections import Counter
from types import TracebackType
from typing import Any, Self

from pointsman_server.bootstrap.system import SystemClock
from pointsman_server.cache import BoundedMemoryCache
from pointsman_server.cache.local_copies import LocalCopies
from pointsman_server.cache.redis.client import Login, build_backend, parse_address
from pointsman_server.cache.redis.sealed_entry import EntrySigner
from pointsman_server.cache.redis.store import SharedStore
from pointsman_server.cache.tiered import TieredCache
from pointsman_server.core.ports import Clock

from support.eventually import eventually


class CountingMeter:
    """Counts what the levels and the store tell."""

    def __init__(self) -> None:
        self.lookups: Counter[str] = Counter()
        self.failed_writes = 0
        self.failures: Counter[str] = Counter()
        self.reachable: list[bool] = []

    def cache_lookup(self, result: str) -> None:
        self.lookups[result] += 1

    def cache_write_failed(self) -> None:
        self.failed_writes += 1

    def shared_cache_failed(self, stage: str) -> None:
        self.failures[stage] += 1

    def shared_cache_reachable(self, reachable: bool) -> None:
        self.reachable.append(reachable)


SEALS = EntrySigner(b"secret of all replicas")


class Replica:
    """Levels over a store of their own; an async context manager."""

    def __init__(
        self,
        url: str,
        *,
        recheck: float = 60.0,
        budget: float = 5.0,
        connections: int = 8,
        login: Login | None = None,
        ca_file: str | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.meter = CountingMeter()
        clock = clock or SystemClock()
        self.near = BoundedMemoryCache(max_entries=10_000, now=clock.monotonic)
        backend = build_backend(
            parse_address(url), connections=connections, login=login or Login(), ca_file=ca_file
        )
        self.store = SharedStore(
            backend, seals=SEALS, budget=budget, connections=connections, meter=self.meter
        )
        copies = LocalCopies(self.near, clock=clock)
        self.cache = TieredCache(copies, self.store, recheck=recheck, clock=clock, meter=self.meter)
        self.slots = TieredCache(copies, self.store, recheck=0.0, clock=clock, meter=self.meter)

    async def __aenter__(self) -> Self:
        await self.store.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.cache.aclose()

    async def until_reachable(self, reachable: bool) -> None:
        """Wait for the store to be left alone, or to be asked again."""

        async def asked() -> bool:
            await self.cache.get(b"?" * 16)
            return self.meter.reachable[-1] is reachable

        await eventually(asked)


def names(server: Any) -> list[str]:
    """The server's keys, in order."""
    return sorted(name.decode() for name in server("KEYS", "*"))
