"""Copies of shared entries in this process's store.

Confirmed copies of one iteration of the event loop are written together, by one call of aiocache:
its public functions take longer than all else that a copy needs. Until then a copy is pending,
and is read like any other.
"""

from __future__ import annotations

import asyncio
from struct import Struct
from typing import Final, NamedTuple

from pointsman_server.cache.memory import BoundedMemoryCache
from pointsman_server.cache.redis.sealed_entry import CacheEntry
from pointsman_server.core.ports import Clock

_NEVER: Final = float("-inf")
_MOMENTS: Final = Struct("<dd")
_VALUE: Final = _MOMENTS.size


class Copy(NamedTuple):
    """The copy of an entry, and the time (monotonic) of its last confirmation."""

    stored: CacheEntry
    confirmed: float

    def packed(self) -> bytes:
        """The stored form: the garbage collector walks everything but bytes."""
        return _MOMENTS.pack(self.confirmed, self.stored.expires) + self.stored.value


class LocalCopies:
    """Copies under keys of some bytes. They end with their entries."""

    def __init__(self, near: BoundedMemoryCache, *, clock: Clock) -> None:
        self._near = near
        self._clock = clock
        self._pending: dict[bytes, Copy] = {}
        self._writing: asyncio.Task[None] | None = None

    def peek(self, key: bytes, *, recheck: float) -> bytes | None:
        """The value of a copy that was confirmed less than `recheck` seconds ago.

        For the fast path: it neither waits nor runs plugins.
        """
        raw: bytes | None = self._near.peek(key)
        if self._pending and key in self._pending:
            raw = self._pending[key].packed()
        # Without a copy's objects, since every cached decision comes here.
        if raw is None or self._clock.monotonic() >= _MOMENTS.unpack_from(raw)[0] + recheck:
            return None
        return raw[_VALUE:]

    async def get(self, key: bytes) -> Copy | None:
        """The copy under `key`, whenever it was confirmed."""
        if self._pending:
            await self._write()
        raw: bytes | None = await self._near.get(key)
        if raw is None:
            return None
        confirmed, expires = _MOMENTS.unpack_from(raw)
        return Copy(CacheEntry(raw[_VALUE:], expires), confirmed)

    async def put(self, key: bytes, stored: CacheEntry, *, confirmed: bool) -> None:
        """Write a copy now."""
        self._pending.pop(key, None)
        ttl = stored.remaining(self._clock.time())
        if ttl > 0:
            when = self._clock.monotonic() if confirmed else _NEVER
            await self._near.set(key, Copy(stored, when).packed(), ttl=ttl)

    def put_soon(self, key: bytes, stored: CacheEntry, *, since: float) -> None:
        """Write a confirmed copy together with the others of this iteration of the loop.

        `stored` was read from the store, beginning at `since` (monotonic). A copy that was written
        after that stays: the store may have answered before it got that one.
        """
        later = self._near.peek(key)
        if later is not None and _MOMENTS.unpack_from(later)[0] > since:
            return
        if not self._pending:
            self._writing = asyncio.create_task(self._write())
        self._pending[key] = Copy(stored, self._clock.monotonic())

    async def _write(self) -> None:
        """Write the copies that are pending, each for as long as its entry lives."""
        pending, self._pending = self._pending, {}
        now = self._clock.time()
        pairs, lifetimes = [], []
        for key, copy in pending.items():
            ttl = copy.stored.remaining(now)
            if ttl > 0:
                pairs.append((key, copy.packed()))
                lifetimes.append(ttl)
        if pairs:
            await self._near.multi_set(pairs, ttl=lifetimes)
