"""`core.ports.DecisionCache` in two levels: this process, then the store that replicas share.

A decision does not change until it expires, so a copy may be used for a while without a lookup;
that time bounds the delay until this process sees another replica's decision. During an outage of
the shared store, copies are used until they expire. Lost entries are written back to the store.
docs/caching.md has the details.
"""

from __future__ import annotations

from collections.abc import Awaitable

from pointsman_server.cache.decision_cache import CacheMeter
from pointsman_server.cache.local_copies import Copy, LocalCopies
from pointsman_server.cache.redis.errors import CacheUnavailable
from pointsman_server.cache.redis.sealed_entry import BROKEN, CacheEntry
from pointsman_server.cache.redis.store import SharedStore
from pointsman_server.core.ports import Clock


class TieredCache:
    """Copies in this process, the truth in `shared`; a copy is good for `recheck` seconds."""

    def __init__(
        self,
        copies: LocalCopies,
        shared: SharedStore,
        *,
        recheck: float,
        clock: Clock,
        meter: CacheMeter,
    ) -> None:
        self._copies = copies
        self._shared = shared
        self._recheck = recheck
        self._clock = clock
        self._meter = meter

    def peek(self, key: bytes) -> bytes | None:
        """The value of a copy that is good enough; neither waits nor counts."""
        return self._copies.peek(key, recheck=self._recheck)

    async def get(self, key: bytes) -> bytes | None:
        """The value; `None` if there is none, or if it is unknown during an outage."""
        # A copy that always needs confirmation is only read where the store does not know better.
        copy = await self._copies.get(key) if self._recheck > 0 else None
        if copy is not None and self._is_good(copy):
            return self._told(copy.stored, "miss")
        began = self._clock.monotonic()
        try:
            found = await self._shared.get(key)
            if found is None or found is BROKEN:
                found = await self._offer(key, await self._mine(key), damaged=found is BROKEN)
        except CacheUnavailable:
            return self._told(await self._mine(key), "error")
        if found is not None:
            self._copies.put_soon(key, found, since=began)
        return self._told(found, "miss")

    async def put(self, key: bytes, value: bytes, *, ttl: float) -> None:
        """Store `value` for `ttl` seconds, replacing an existing entry. Failures are counted."""
        stored = self._stored(value, ttl)
        confirmed = await self._written(self._shared.put(key, stored, ttl=ttl))
        await self._copies.put(key, stored, confirmed=confirmed)

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
            copy = await self._copies.get(key)
            if copy is not None:
                return copy.stored.value
        await self._copies.put(key, first or stored, confirmed=confirmed)
        return first.value if first is not None else None

    async def aclose(self) -> None:
        """Close connections."""
        await self._shared.aclose()

    async def _mine(self, key: bytes) -> CacheEntry | None:
        copy = await self._copies.get(key)
        return None if copy is None else copy.stored

    def _is_good(self, copy: Copy) -> bool:
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

    def _stored(self, value: bytes, ttl: float) -> CacheEntry:
        return CacheEntry(value, self._clock.time() + ttl)

    def _told(self, found: CacheEntry | None, otherwise: str) -> bytes | None:
        self._meter.cache_lookup(otherwise if found is None else "hit")
        return None if found is None else found.value
