"""Copies of an iteration are written together, and read as if each was written at once."""

from __future__ import annotations

import asyncio

from pointsman_server.cache import BoundedMemoryCache
from pointsman_server.cache.local_copies import LocalCopies
from pointsman_server.cache.redis.sealed_entry import CacheEntry
from support.fakes import FakeClock, settle

KEYS = [b"%d" % number for number in range(32)]
TTL, RECHECK = 50.0, 10.0


class Bench:
    """Copies over a store that counts aiocache's functions."""

    def __init__(self):
        self.clock = FakeClock()
        self.near = BoundedMemoryCache(max_entries=100, now=self.clock.monotonic)
        self.copies = LocalCopies(self.near, clock=self.clock)
        self.calls = []
        for name in ("set", "multi_set"):
            setattr(self.near, name, self._counted(name, getattr(self.near, name)))

    def _counted(self, name, function):
        def call(*given, **named):
            self.calls.append(name)
            return function(*given, **named)

        return call

    def entry(self, value=b"value", ttl=TTL):
        return CacheEntry(value, self.clock.time() + ttl)


async def test_copies_of_an_iteration_are_one_write():
    bench = Bench()

    async def found(key):
        await asyncio.sleep(0)
        bench.copies.put_soon(key, bench.entry(key), since=bench.clock.monotonic())

    await asyncio.gather(*map(found, KEYS))
    await settle()
    assert bench.calls == ["multi_set"]
    assert [bench.near.peek(key)[-len(key) :] for key in KEYS] == KEYS


async def test_a_pending_copy_is_read_like_any_other():
    bench = Bench()
    bench.copies.put_soon(KEYS[0], bench.entry(), since=bench.clock.monotonic())
    assert bench.calls == []
    assert bench.copies.peek(KEYS[0], recheck=RECHECK) == b"value"
    assert bench.copies.peek(KEYS[0], recheck=0.0) is None
    assert bench.copies.peek(KEYS[1], recheck=RECHECK) is None
    copy = await bench.copies.get(KEYS[0])
    assert copy is not None
    assert copy.stored == bench.entry()


async def test_a_later_copy_replaces_a_pending_one():
    bench = Bench()
    bench.copies.put_soon(KEYS[0], bench.entry(b"old"), since=bench.clock.monotonic())
    await bench.copies.put(KEYS[0], bench.entry(b"new"), confirmed=True)
    await settle()
    assert bench.copies.peek(KEYS[0], recheck=RECHECK) == b"new"


async def test_a_copy_outlives_a_read_that_began_before_it():
    bench = Bench()
    began = bench.clock.monotonic()
    bench.clock.advance(0.1)
    await bench.copies.put(KEYS[0], bench.entry(b"new"), confirmed=True)
    bench.copies.put_soon(KEYS[0], bench.entry(b"old"), since=began)
    await settle()
    assert bench.copies.peek(KEYS[0], recheck=RECHECK) == b"new"


async def test_each_copy_ends_with_its_entry():
    bench = Bench()
    for key, ttl in zip(KEYS, (5.0, 7.0, 0.0, -1.0), strict=False):
        bench.copies.put_soon(key, bench.entry(ttl=ttl), since=bench.clock.monotonic())
    await settle()
    assert len(bench.near) == 2
    for passed, left in ((4.9, 2), (0.2, 1), (2.0, 0)):
        bench.clock.advance(passed)
        assert sum(bench.near.peek(key) is not None for key in KEYS) == left


async def test_a_pending_copy_ends_with_its_entry_too():
    bench = Bench()
    bench.copies.put_soon(KEYS[0], bench.entry(ttl=5.0), since=bench.clock.monotonic())
    bench.clock.advance(5.1)
    assert await bench.copies.get(KEYS[0]) is None
    await settle()
    assert bench.calls == []
