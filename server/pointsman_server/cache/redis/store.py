"""The shared store: Redis or Valkey, through aiocache's Redis backend.

Every command has one short time-out, measured from its request; a failing store opens the circuit.
Every failure is a `CacheUnavailable`, counted by its stage.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from types import NoneType
from typing import Any, Protocol, TypeVar

from aiocache.backends.redis import RedisCache

from pointsman_server.cache.redis import errors as failures
from pointsman_server.cache.redis.availability import AvailabilityMonitor
from pointsman_server.cache.redis.batch_loader import BatchLoader
from pointsman_server.cache.redis.client import CONNECTING
from pointsman_server.cache.redis.errors import CacheUnavailable, InvalidAnswer, stage_of
from pointsman_server.cache.redis.sealed_entry import CacheEntry, EntrySigner

SWITCHES = "pointsman"
"""The namespace of runtime switches: `pointsman:morph_router_enabled`."""
_PROBE = "probe"
PROBE_MILLISECONDS = 1
"""Lifetime of the key that a probe writes."""
_KINDS = frozenset((bytes, NoneType))
_T = TypeVar("_T")


class StoreMeter(Protocol):
    """Observer of the shared store."""

    def shared_cache_failed(self, stage: str) -> None:
        """A command gave no answer."""
        ...

    def shared_cache_reachable(self, reachable: bool) -> None:
        """Whether the store is in use from now on."""
        ...


class SharedStore:
    """Values under keys of some bytes, and the texts of switches.

    Half of `connections` (at least two) carry lookups, the other half everything else, so that
    neither waits for the other.
    """

    def __init__(
        self,
        backend: RedisCache,
        *,
        seals: EntrySigner,
        budget: float,
        connections: int,
        meter: StoreMeter,
    ) -> None:
        self._backend = backend
        self._seals = seals
        self._prefix: str = backend.build_key("")
        self._budget = budget
        self._meter = meter
        reading = connections // 2
        self._connections = connections
        self._lookups = BatchLoader(self._read, at_once=reading)
        self._free = asyncio.Semaphore(connections - reading)
        self._apart: set[asyncio.Task[Any]] = set()
        self._demoted = False
        """A write met a replica: a probe then has to write, since a replica answers reads."""
        self._rest = AvailabilityMonitor(
            probe=self._trouble, now=_now, on_reachable=meter.shared_cache_reachable
        )

    async def open(self) -> None:
        """Make the connections. Where that fails, start resting: this never raises."""
        trouble = await self._trouble()
        if trouble is None:
            self._meter.shared_cache_reachable(True)  # noqa: FBT003  (as its name says)
        else:
            self._rest.begin(trouble)

    async def get(self, key: bytes) -> CacheEntry | None:
        """The entry under `key`. Raises `CacheUnavailable`."""
        raw = await self._lookup(self._name(key))
        return None if raw is None else self._seals.unpack(key, raw)

    async def add(self, key: bytes, stored: CacheEntry, *, ttl: float) -> CacheEntry | None:
        """Keep `stored` unless there is something already: then leave and return that.

        One command, so that of any number of replicas one wins. Raises `CacheUnavailable`.
        """
        there = await self._write(key, stored, ttl, nx=True, get=True)
        if there is None:
            return None
        if not isinstance(there, bytes):
            raise self._unavailable(failures.INVALID_ANSWER)
        return self._seals.unpack(key, there)

    async def put(self, key: bytes, stored: CacheEntry, *, ttl: float) -> None:
        """Store `stored`, replacing an existing entry. Raises `CacheUnavailable`."""
        await self._write(key, stored, ttl)

    async def text(self, name: str) -> str | None:
        """The text of a switch, as an operator set it. Raises `CacheUnavailable`."""
        raw = await self._lookup(self._backend.build_key(name, SWITCHES))
        return None if raw is None else raw.decode(errors="replace")

    async def aclose(self) -> None:
        """Stop probing and let go of connections."""
        await self._rest.aclose()
        await self._lookups.aclose()
        for task in tuple(self._apart):
            task.cancel()
        await asyncio.gather(*self._apart, return_exceptions=True)
        await self._backend.client.aclose()

    def _name(self, key: bytes) -> str:
        return self._prefix + key.hex()

    def _lookup(self, name: str) -> Awaitable[bytes | None]:
        self._check_awake()
        return self._lookups.get(name)

    async def _write(self, key: bytes, stored: CacheEntry, ttl: float, **how: bool) -> object:
        self._check_awake()
        name = self._name(key)
        milliseconds = max(1, round(ttl * 1_000))
        deadline = _now() + self._budget

        async def command() -> object:
            # Not aiocache's `add` and `set`: they would need a second command to read the winner,
            # and further rights than those to MGET and SET.
            async with self._free:
                value = self._seals.pack(key, stored)
                return await self._backend.raw("set", name, value, px=milliseconds, **how)

        return await self._alone(self._ask(command, deadline=deadline))

    async def _alone(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run `work` apart: a caller who leaves must not break a connection in mid-reply."""
        task = asyncio.create_task(work)
        self._apart.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._apart.discard(task)
        if not task.cancelled():
            task.exception()  # seen, even where the caller has left

    async def _read(self, keys: Sequence[str], since: float) -> Sequence[bytes | None]:
        return await self._ask(lambda: self._mget(keys), deadline=since + self._budget)

    async def _mget(self, keys: Sequence[str]) -> Sequence[bytes | None]:
        # The keys are whole already: a switch and a value may leave together.
        try:
            values: Sequence[bytes | None] = await self._backend.multi_get(keys, namespace="")
        except TypeError:  # aiocache iterates whatever the server answered
            raise InvalidAnswer from None
        if len(values) != len(keys) or not _KINDS.issuperset(map(type, values)):
            raise InvalidAnswer
        return values

    async def _ask(self, command: Callable[[], Awaitable[_T]], *, deadline: float) -> _T:
        self._check_awake()
        began = _now()
        try:
            async with asyncio.timeout_at(deadline):
                answer = await command()
        except Exception as error:  # noqa: BLE001  (whatever is raised becomes a stage)
            raise self._unavailable(self._noted(error, began)) from None
        self._rest.succeeded()
        return answer

    def _check_awake(self) -> None:
        if self._rest.resting:
            raise self._unavailable(failures.RESTING)

    def _noted(self, error: Exception, began: float) -> str:
        stage = stage_of(error)
        if stage == failures.READ_ONLY:
            self._demoted = True
        # A server that says no is there: its other answers may still be good.
        if stage != failures.REJECTED:
            # One that was demoted must be left at once: another may have its name by now.
            self._rest.failed(stage, began=began, at_once=stage == failures.READ_ONLY)
        return stage

    def _unavailable(self, stage: str) -> CacheUnavailable:
        self._meter.shared_cache_failed(stage)
        return CacheUnavailable(stage)

    async def _trouble(self) -> str | None:
        """Reconnect every connection, with a new name lookup, and send a command on each.

        Connecting may take longer than a command's time-out, answering may not. Returns the stage
        of a failure.
        """
        probe = self._backend.build_key(_PROBE)
        try:
            await self._disconnect()
            for patience in (max(CONNECTING, self._budget), self._budget):
                async with asyncio.timeout(patience):
                    await asyncio.gather(*(self._mget([probe]) for _ in range(self._connections)))
            if self._demoted:
                await self._write_probe(probe)
        except Exception as error:  # noqa: BLE001  (whatever is raised: not yet)
            stage = stage_of(error)
            self._meter.shared_cache_failed(stage)
            return stage
        self._demoted = False
        return None

    async def _write_probe(self, name: str) -> None:
        """Write a key that expires at once. Raises where the server takes no writes."""
        try:
            async with asyncio.timeout(self._budget):
                await self._backend.raw("set", name, b"", px=PROBE_MILLISECONDS)
        except Exception as error:
            # Full, or without the right to: still a primary.
            if stage_of(error) != failures.REJECTED:
                raise

    async def _disconnect(self) -> None:
        await self._backend.client.connection_pool.disconnect(inuse_connections=False)


def _now() -> float:
    return asyncio.get_running_loop().time()
