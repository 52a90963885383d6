"""Any aiocache backend as a `DecisionCache`: whatever it raises is a miss, and counted."""

from __future__ import annotations

import asyncio
import logging

import pytest
from aiocache.base import BaseCache
from aiocache.serializers import NullSerializer
from pointsman_server.cache import AiocacheDecisionCache, BoundedMemoryCache
from support.fakes import FakeClock, RecordingMeter

KEY = b"k" * 16


class Broken(BaseCache):
    """A backend that raises, for the names given, what it is told to."""

    def __init__(self, error, *names):
        super().__init__(serializer=NullSerializer(), timeout=None)
        self.error, self.names = error, names

    async def _do(self, name, result=None):
        if name in self.names:
            raise self.error
        return result

    async def _get(self, key, encoding="utf-8", _conn=None):
        return await self._do("get", b"there")

    async def _set(self, key, value, ttl=None, _cas_token=None, _conn=None):
        return await self._do("set", True)

    async def _add(self, key, value, ttl=None, _conn=None):
        if "there" in self.names:
            raise ValueError(key)
        return await self._do("add", True)


class Slow(Broken):
    """A backend that never answers, with a time-out of its own."""

    def __init__(self):
        super().__init__(None)
        self.timeout = 0.001

    async def _do(self, name, result=None):
        await asyncio.Event().wait()


def adapted(backend):
    meter = RecordingMeter()
    return AiocacheDecisionCache(backend, meter=meter), meter


ERRORS = [ConnectionError("down"), TimeoutError(), OSError(), RuntimeError("a bug")]


@pytest.mark.parametrize("error", ERRORS, ids=repr)
async def test_a_lookup_that_raises_is_a_miss_and_counted_as_an_error(error):
    cache, meter = adapted(Broken(error, "get"))
    assert await cache.get(KEY) is None
    assert meter.lookups == ["error"]


@pytest.mark.parametrize("error", ERRORS, ids=repr)
async def test_a_write_that_raises_is_counted_and_forgotten(error):
    cache, meter = adapted(Broken(error, "set", "add"))
    await cache.put(KEY, b"v", ttl=1)
    assert await cache.add(KEY, b"v", ttl=1) is None
    assert meter.failed_writes == 2


async def test_a_slow_backend_is_a_miss():
    cache, meter = adapted(Slow())
    assert await cache.get(KEY) is None
    await cache.put(KEY, b"v", ttl=1)
    assert await cache.add(KEY, b"v", ttl=1) is None
    assert (meter.lookups, meter.failed_writes) == (["error"], 2)


async def test_what_is_there_is_given_back_by_add():
    cache, meter = adapted(Broken(None, "there"))
    assert await cache.add(KEY, b"v", ttl=1) == b"there"
    assert meter.failed_writes == 0


async def test_what_is_there_and_cannot_be_read_is_counted():
    cache, meter = adapted(Broken(ConnectionError(), "there", "get"))
    assert await cache.add(KEY, b"v", ttl=1) is None
    assert meter.lookups == ["error"]


async def test_lookups_are_counted_as_hits_and_misses():
    cache, meter = adapted(BoundedMemoryCache(max_entries=9, now=FakeClock().monotonic))
    await cache.get(KEY)
    await cache.put(KEY, b"v", ttl=1)
    await cache.get(KEY)
    assert meter.lookups == ["miss", "hit"]


@pytest.mark.parametrize("foreign", ["text", 7, ["list"]])
async def test_a_value_that_is_no_bytes_is_a_miss(foreign):
    backend = BoundedMemoryCache(max_entries=9, now=FakeClock().monotonic)
    await backend.set(KEY, foreign)
    cache, meter = adapted(backend)
    assert await cache.get(KEY) is None
    assert await cache.add(KEY, b"v", ttl=1) is None
    assert meter.lookups[0] == "miss"


async def test_a_cancelled_lookup_is_cancelled():
    cache, meter = adapted(Broken(asyncio.CancelledError(), "get"))
    with pytest.raises(asyncio.CancelledError):
        await cache.get(KEY)
    assert meter.lookups == []


async def test_neither_keys_nor_values_nor_a_backends_words_are_logged(caplog):
    caplog.set_level(logging.DEBUG)
    cache, _ = adapted(Broken(ConnectionError("redis://:canary@host"), "get", "set", "add"))
    await cache.get(b"canary-key")
    await cache.put(b"canary-key", b"canary-value", ttl=1)
    await cache.add(b"canary-key", b"canary-value", ttl=1)
    assert "canary" not in caplog.text
    assert [r.getMessage() for r in caplog.records] == [
        "cache read failed: ConnectionError",
        "cache write failed: ConnectionError",
        "cache write failed: ConnectionError",
    ]


async def test_closing_closes_the_backend():
    backend = BoundedMemoryCache(max_entries=9, now=FakeClock().monotonic)
    closed = []
    backend._close = lambda *_, **__: _note(closed)
    await adapted(backend)[0].aclose()
    assert closed == [True]


async def _note(closed):
    closed.append(True)
