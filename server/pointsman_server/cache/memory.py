"""aiocache's interface over bounded dictionaries in this process, without counters and locks.

aiocache's own memory backend has no bound on entries and a timer for each; this one evicts the
least recently used entries and reads the clock instead.

As in a processor's set-associative cache, the hash of a key selects one of many small sets, and
each set evicts its least recently used entry. One ordered dictionary
would do so for all entries at once, but the garbage collector walks a million of them for 100 ms,
and it stands still for as long when it grows. A set is a plain dictionary: the collector leaves one
of bytes alone (CPython before 3.14), and rebuilding one takes microseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from struct import Struct
from typing import Any, TypeAlias

from pointsman_server.cache.aiocache_base import BaseCache, NullSerializer

SET_ENTRIES = 320
"""Entries of a set at least, where there are several. Keys spread so evenly over sets of this size
that hardly one is dropped before nine tenths of all places are taken; and a dictionary of 682
places holds one, with room for 362 uses before it is rebuilt."""
MOMENTS = 16_384
"""Moments in a lifetime at which entries end: values that are equal and end together are one."""
_ALIKE = 1_024
"""Entries among which an equal one is looked for."""
_MOMENT = Struct("<d")
_VALUE = _MOMENT.size
_Entry: TypeAlias = bytes | tuple[float, Any]
"""When it ends, with its value. Of bytes it stands in front of them: a tuple and a number would
take 80 bytes an entry more, and the garbage collector would walk them."""


class BoundedMemoryCache(BaseCache):  # type: ignore[misc]  # aiocache is untyped
    """At most `max_entries` values; `now` is a monotonic clock in seconds."""

    NAME = "memory"

    def __init__(self, *, max_entries: int, now: Callable[[], float]) -> None:
        # No timeout: nothing here ever waits, and aiocache's default wraps each call in a timer.
        super().__init__(serializer=NullSerializer(), timeout=None)
        self._now = now
        self._count = max(1, max_entries // SET_ENTRIES)
        self._places = max_entries // self._count
        """Of one set."""
        self._sets: list[dict[Any, _Entry]] = [{} for _ in range(self._count)]
        """Each in order of use: a used entry is moved to the end."""
        self._alike: dict[bytes, bytes] = {}
        self.writes = 0
        """Writes so far: a miss stays one while this number stays."""

    def __len__(self) -> int:
        return sum(map(len, self._sets))

    def build_key(self, key: Any, namespace: str | None = None) -> Any:
        """Keep the key's type; a namespace stands before it."""
        return key if namespace is None else (namespace, key)

    def peek(self, key: Any) -> Any | None:
        """The result of `get` for the fast path, which neither awaits nor runs plugins."""
        # On the fast path of every cached decision, so without a call to `_set_of`.
        entries = self._sets[hash(key) % self._count]
        entry = entries.pop(key, None)
        if entry is None:
            return None
        value: Any
        if type(entry) is bytes:
            ends, value = _MOMENT.unpack_from(entry)[0], entry[_VALUE:]
        else:
            ends, value = entry
        if ends <= self._now():
            return None
        entries[key] = entry
        return value

    def _set_of(self, key: Any) -> dict[Any, _Entry]:
        return self._sets[hash(key) % self._count]

    def _put(self, key: Any, value: Any, *, ends: float) -> None:
        self.writes += 1
        entries = self._set_of(key)
        entries.pop(key, None)
        if len(entries) >= self._places:
            # Passes the places of those that were used since: bounded by the dictionary's.
            del entries[next(iter(entries))]
        entries[key] = self._entry(ends, value) if type(value) is bytes else (ends, value)

    def _entry(self, ends: float, value: bytes) -> bytes:
        """The entry, or an equal one that is there: many conversations are on one model."""
        entry = _MOMENT.pack(ends) + value
        if len(self._alike) >= _ALIKE:
            self._alike.clear()
        return self._alike.setdefault(entry, entry)

    async def _get(self, key: Any, encoding: str | None = "utf-8", _conn: Any = None) -> Any:
        return self.peek(key)

    async def _multi_get(
        self, keys: list[Any], encoding: str | None = "utf-8", _conn: Any = None
    ) -> list[Any]:
        return [self.peek(key) for key in keys]

    async def _set(
        self,
        key: Any,
        value: Any,
        ttl: float | None = None,
        _cas_token: Any = None,
        _conn: Any = None,
    ) -> bool:
        self._put(key, value, ends=self._ends(ttl))
        return True

    def _ends(self, ttl: float | None) -> float:
        """The end of a lifetime that begins now.

        Less by a ten-thousandth at worst, so that equal values that end together are one.
        """
        if ttl is None:
            return inf
        apart = ttl / MOMENTS
        return (self._now() + ttl) // apart * apart if apart > 0 else self._now()

    async def _multi_set(
        self,
        pairs: list[tuple[Any, Any]],
        ttl: float | Sequence[float] | None = None,
        _conn: Any = None,
    ) -> bool:
        """Write the pairs; `ttl` is a lifetime of all, or one of each."""
        ttls = ttl if isinstance(ttl, Sequence) else [ttl] * len(pairs)
        for (key, value), lifetime in zip(pairs, ttls, strict=True):
            self._put(key, value, ends=self._ends(lifetime))
        return True

    async def _add(self, key: Any, value: Any, ttl: float | None = None, _conn: Any = None) -> bool:
        if self.peek(key) is not None:
            raise ValueError(key)
        return await self._set(key, value, ttl=ttl)

    async def _exists(self, key: Any, _conn: Any = None) -> bool:
        return self.peek(key) is not None

    async def _delete(self, key: Any, _conn: Any = None) -> int:
        there = self.peek(key) is not None
        self._set_of(key).pop(key, None)
        return int(there)

    async def _clear(self, namespace: str | None = None, _conn: Any = None) -> bool:
        for entries in self._sets:
            for key in tuple(entries):
                if namespace is None or (isinstance(key, tuple) and key[0] == namespace):
                    del entries[key]
        return True
