"""aiocache's interface over a bounded dictionary in this process.

aiocache's own memory backend has no bound on entries and a timer for each; this one drops what was
used least recently and reads the clock instead.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from math import inf
from struct import Struct
from typing import Any

from aiocache.base import BaseCache
from aiocache.serializers import NullSerializer

_MOMENT = Struct("<d")


class BoundedMemoryCache(BaseCache):  # type: ignore[misc]  # aiocache is untyped
    """At most `max_entries` values; `now` is a monotonic clock in seconds."""

    NAME = "memory"

    def __init__(self, *, max_entries: int, now: Callable[[], float]) -> None:
        # No timeout: nothing here ever waits, and aiocache's default wraps each call in a timer.
        super().__init__(serializer=NullSerializer(), timeout=None)
        self._max_entries = max_entries
        self._now = now
        self._entries: OrderedDict[Any, bytes | tuple[float, Any]] = OrderedDict()
        """When each ends, with its value. Of bytes it stands in front of them: a tuple and a
        number would take 80 bytes an entry more, and the garbage collector would walk them."""

    def __len__(self) -> int:
        return len(self._entries)

    def build_key(self, key: Any, namespace: str | None = None) -> Any:
        """Keys stay as they are: there is one namespace in a process."""
        return key

    # aiocache's own forms of the next three ask the environment, two clocks and a list of plugins
    # each time, which takes ten times as long as what they do.

    async def get(
        self, key: Any, default: Any = None, namespace: str | None = None, **_: Any
    ) -> Any:
        """The value, or `default`."""
        value = self._live(key)
        return default if value is None else value

    async def set(self, key: Any, value: Any, ttl: float | None = None, **rest: Any) -> bool:
        """Keep `value` for `ttl` seconds, or for good."""
        return await self._set(key, value, ttl=ttl, _cas_token=rest.get("_cas_token"))

    async def add(self, key: Any, value: Any, ttl: float | None = None, **_: Any) -> bool:
        """The same, unless there is one: `ValueError`."""
        return await self._add(key, value, ttl=ttl)

    def peek(self, key: Any) -> Any | None:
        """What `get` would give, without waiting for a turn of the loop."""
        return self._live(key)

    def _live(self, key: Any) -> Any | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        expires, value = _unpacked(entry)
        if expires <= self._now():
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return value

    async def _get(self, key: Any, encoding: str | None = "utf-8", _conn: Any = None) -> Any:
        return self._live(key)

    _gets = _get

    async def _multi_get(
        self, keys: list[Any], encoding: str | None = "utf-8", _conn: Any = None
    ) -> list[Any]:
        return [self._live(key) for key in keys]

    async def _set(
        self,
        key: Any,
        value: Any,
        ttl: float | None = None,
        _cas_token: Any = None,
        _conn: Any = None,
    ) -> bool:
        if _cas_token is not None and self._live(key) != _cas_token:
            return False
        self._entries[key] = _packed(inf if ttl is None else self._now() + ttl, value)
        self._entries.move_to_end(key)
        if len(self._entries) > self._max_entries:
            self._entries.popitem(last=False)
        return True

    async def _multi_set(
        self, pairs: list[tuple[Any, Any]], ttl: float | None = None, _conn: Any = None
    ) -> bool:
        for key, value in pairs:
            await self._set(key, value, ttl=ttl)
        return True

    async def _add(self, key: Any, value: Any, ttl: float | None = None, _conn: Any = None) -> bool:
        if self._live(key) is not None:
            raise ValueError(key)
        return await self._set(key, value, ttl=ttl)

    async def _exists(self, key: Any, _conn: Any = None) -> bool:
        return self._live(key) is not None

    async def _increment(self, key: Any, delta: int, _conn: Any = None) -> int:
        value = self._live(key)
        if value is None:
            await self._set(key, delta)
            return delta
        try:
            count = int(value) + delta
        except ValueError:  # aiocache's word for it is TypeError
            raise TypeError("Value is not an integer") from None
        self._entries[key] = _packed(_unpacked(self._entries[key])[0], count)
        return count

    async def _expire(self, key: Any, ttl: float, _conn: Any = None) -> bool:
        value = self._live(key)
        # aiocache: 0 lifts the lifetime.
        return value is not None and await self._set(key, value, ttl=ttl or None)

    async def _delete(self, key: Any, _conn: Any = None) -> int:
        there = self._live(key) is not None
        self._entries.pop(key, None)
        return int(there)

    async def _redlock_release(self, key: Any, value: Any) -> int:
        return await self._delete(key) if self._live(key) == value else 0

    async def _clear(self, namespace: str | None = None, _conn: Any = None) -> bool:
        self._entries.clear()
        return True

    async def _raw(self, command: str, *args: Any, **kwargs: Any) -> Any:
        return getattr(self._entries, command)(*args)


def _packed(expires: float, value: Any) -> bytes | tuple[float, Any]:
    return _MOMENT.pack(expires) + value if type(value) is bytes else (expires, value)


def _unpacked(entry: bytes | tuple[float, Any]) -> tuple[float, Any]:
    if isinstance(entry, bytes):
        return _MOMENT.unpack_from(entry)[0], entry[_MOMENT.size :]
    return entry
