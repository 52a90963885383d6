"""`core.ports.DecisionCache` in two levels: this process, then the store that replicas share.

A decision does not change until it expires, so a copy may be used for a while without a lookup;
that time bounds the delay until this process sees another replica's decision. During an outage of
the shared store, copies are used until they expire. Lost entries are written back to the store.
docs/caching.md has the details.
"""

from __future__ import annotations

from collections.abc import Awaitable
from struct import Struct
from typing import NamedTuple

from pointsman_server.cache.decision_cache import CacheMeter
from pointsman_server.cache.memory import BoundedMemoryCache
from pointsman_server.cache.redis.errors import CacheUnavailable
from pointsman_server.cache.redis.sealed_entry import BROKEN, CacheEntry
from pointsman_server.cache.redis.store import SharedStore
from pointsman_server.core.ports import Clock

_NEVER = float("-inf")

_MOMENTS = Struct("<dd")
_VALUE = _MOMENTS.size


class _Copy(NamedTuple):
    """The local copy of an entry, and the time (monotonic) of its last confirmation."""

    stored: CacheEntry
    confirmed: float

    def packed(self) -> bytes:
        """The stored form: the garbage collector walks everything but bytes."""
        return _MOMENTS.pack(self.confirmed, self.stored.expires) + self.stored.value


def _unpacked(raw: bytes) -> _Copy:
    confirmed, expires = _MOMENTS.unpack_from(raw)
    return _Copy(CacheEntry(raw[_VALUE:], expires), confirmed)


class TieredCache:
    """Copies in `near`, the truth in `shared`; `recheck` is how long a copy is good, in seconds."""

    def __init__(
        self,
        near: BoundedMemoryCache,
        shared: SharedStore,
        *,
        recheck: float,
        clock: Clock,
        meter: CacheMeter,
    ) -> None:
        self._near = near
        self._shared = shared
        self._recheck = recheck
        self._clock = clock
        self._meter = meter

    def peek(self, key: bytes) -> bytes | None:
        """The value of a copy that is good enough; neither waits nor counts."""
        # On the fast path of every cached decision, so without a copy's objects.
        raw: bytes | None = self._near.peek(key)
        if raw is None or self._clock.monotonic() >= _MOMENTS.unpack_from(raw)[0] + self._recheck:
            return None
        return raw[_VALUE:]

    async def get(self, key: bytes) -> bytes | None:
        """The value; `None` if there is none, or if it is unknown during an outage."""
        # A copy that always needs confirmation is only read where the store does not know better.
        copy = await self._known(key) if self._recheck > 0 else None
        if copy is not None and self._is_good(copy):
            return self._told(copy.stored, "miss")
        try:
            found = await self._shared.get(key)
            if found is None or found is BROKEN:
                found = await self._offer(key, await self._mine(key), damaged=found is BROKEN)
        except CacheUnavailable:
            return self._told(await self._mine(key), "error")
        if found is not None:
            await self._copy(key, found)
        return self._told(found, "miss")

    async def put(self, key: bytes, value: bytes, *, ttl: float) -> None:
        """Store `value` for `ttl` seconds, replacing an existing entry. Failures are counted."""
        stored = self._stored(value, ttl)
        confirmed = await self._written(self._shared.put(key, stored, ttl=ttl))
        await self._copy(key, stored, confirmed=confirmed)

    async def add(self, key: bytes, value: bytes, *, ttl: float) -> bytes | None:
        """Store `value` unless another replica stored one first; then return that one.

        During an outage of the shared store, the first value of this process wins.
        """
        stored = self._stored(value, ttl)
        first: CacheEntry | None = None

        async def ask() -> None:
            nonlocal first
            first = await self._shared.add(key, stored, ttl=ttl)

        confirmed = await self._written(ask())
        if not confirmed:
            copy = await self._known(key)
            if copy is not None:
                return copy.stored.value
        await self._copy(key, first or stored, confirmed=confirmed)
        return first.value if first is not None else None

    async def aclose(self) -> None:
        """Let go of connections."""
        await self._shared.aclose()

    async def _known(self, key: bytes) -> _Copy | None:
        raw: bytes | None = await self._near.get(key)
        return None if raw is None else _unpacked(raw)

    async def _mine(self, key: bytes) -> CacheEntry | None:
        copy = await self._known(key)
        return None if copy is None else copy.stored

    def _is_good(self, copy: _Copy) -> bool:
        return self._clock.monotonic() < copy.confirmed + self._recheck

    async def _offer(
        self, key: bytes, mine: CacheEntry | None, *, damaged: bool
    ) -> CacheEntry | None:
        """Write a lost or damaged entry back to the shared store; returns its entry afterwards."""
        ttl = mine.remaining(self._clock.time()) if mine is not None else 0.0
        if mine is None or ttl <= 0:
            return None
        if damaged:
            await self._shared.put(key, mine, ttl=ttl)
            return mine
        return await self._shared.add(key, mine, ttl=ttl) or mine

    async def _written(self, write: Awaitable[None]) -> bool:
        try:
            await write
        except CacheUnavailable:
            self._meter.cache_write_failed()
            return False
        return True

    async def _copy(self, key: bytes, stored: CacheEntry, *, confirmed: bool = True) -> None:
        ttl = stored.remaining(self._clock.time())
        if ttl > 0:
            when = self._clock.monotonic() if confirmed else _NEVER
            await self._near.set(key, _Copy(stored, when).packed(), ttl=ttl)

    def _stored(self, value: bytes, ttl: float) -> CacheEntry:
        return CacheEntry(value, self._clock.time() + ttl)

    def _told(self, found: CacheEntry | None, otherwise: str) -> bytes | None:
        self._meter.cache_lookup(otherwise if found is None else "hit")
        return None if found is None else found.value
