"""Connections to whatever server sentinels call the primary when a connection is made."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff


class SentinelPool(SentinelConnectionPool):
    """A connection pool as aiocache builds one, by `sentinels` (hosts and ports)."""

    def __init__(
        self,
        service: str,
        sentinels: Sequence[tuple[str, int]],
        *,
        patience: float,
        **connection: Any,
    ) -> None:
        asked = {
            "socket_timeout": patience,
            "socket_connect_timeout": patience,
            "retry": Retry(NoBackoff(), 0),
            "protocol": 2,
        }
        manager = _OneAtATime(list(sentinels), sentinel_kwargs=asked)
        super().__init__(service, manager, **connection)  # type: ignore[no-untyped-call]

    async def disconnect(self, inuse_connections: bool = True) -> None:
        """Leave idle sentinels too: the next connection looks for them by name."""
        await super().disconnect(inuse_connections)
        await self.sentinel_manager.leave()


class _OneAtATime(Sentinel):
    """redis-py puts the sentinel that answered first in its list, which two at once would break."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)  # type: ignore[no-untyped-call]
        self._lock = asyncio.Lock()

    async def discover_master(self, service_name: str) -> Any:
        async with self._lock:
            return await super().discover_master(service_name)

    async def leave(self) -> None:
        """Close the connections to the sentinels."""
        async with self._lock:
            for sentinel in self.sentinels:
                await sentinel.connection_pool.disconnect()
