"""`core.ports.DecisionCache` over any aiocache backend. It never raises: a failure is a miss."""

from __future__ import annotations

import logging
from typing import Protocol

from pointsman_server.cache.aiocache_base import BaseCache

_log = logging.getLogger(__name__)


class CacheMeter(Protocol):
    """Observer of cache results."""

    def cache_lookup(self, result: str) -> None:
        """`hit`, `miss` or `error`."""
        ...

    def cache_write_failed(self) -> None:
        """A write failed."""
        ...


class AiocacheDecisionCache:
    """Opaque values under keys of some bytes."""

    def __init__(self, backend: BaseCache, *, meter: CacheMeter) -> None:
        self.backend = backend
        self._meter = meter

    async def get(self, key: bytes) -> bytes | None:
        """The value, or `None` where there is none, it expired or the cache failed."""
        return await self._read(key, counted=True)

    async def put(self, key: bytes, value: bytes, *, ttl: float) -> None:
        """Store `value` for `ttl` seconds, replacing an existing entry."""
        try:
            await self.backend.set(key, value, ttl=ttl)
        except Exception as error:  # noqa: BLE001  (a failed write is counted and forgotten)
            self._failed("write", error)
            self._meter.cache_write_failed()

    async def add(self, key: bytes, value: bytes, *, ttl: float) -> bytes | None:
        """Keep `value` unless there is one already: then leave and return that."""
        try:
            await self.backend.add(key, value, ttl=ttl)
        except ValueError:  # aiocache's word for "there is one"
            return await self._read(key, counted=False)
        except Exception as error:  # noqa: BLE001  (a failed write is counted and forgotten)
            self._failed("write", error)
            self._meter.cache_write_failed()
        return None

    async def _read(self, key: bytes, *, counted: bool) -> bytes | None:
        """The value; a failure counts as a lookup in any case."""
        try:
            value = await self.backend.get(key)
        except Exception as error:  # noqa: BLE001  (whatever a backend raises is a miss)
            self._failed("read", error)
            self._meter.cache_lookup("error")
            return None
        found = isinstance(value, bytes)
        if counted:
            self._meter.cache_lookup("hit" if found else "miss")
        return value if found else None

    async def aclose(self) -> None:
        """Close connections."""
        await self.backend.close()

    def _failed(self, what: str, error: Exception) -> None:
        # Counted by the meter; at debug, so that an outage does not flood the log.
        _log.debug("cache %s failed: %s", what, type(error).__name__)
