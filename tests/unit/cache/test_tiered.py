"""Copies in this process, the truth in a store that may be away."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from pointsman_server.cache import BoundedMemoryCache
from pointsman_server.cache.local_copies import LocalCopies
from pointsman_server.cache.redis.errors import CacheUnavailable
from pointsman_server.cache.redis.sealed_entry import BROKEN, CacheEntry
from pointsman_server.cache.tiered import TieredCache
from support.fakes import FakeClock, RecordingMeter

KEY = b"k" * 16
TTL = 100.0
RECHECK = 10.0


@dataclass
class FakeStore:
    """A shared store in a dictionary; `away` makes it unavailable."""

    values: dict[bytes, CacheEntry] = field(default_factory=dict)
    calls: list[tuple[str, float | None]] = field(default_factory=list)
    away: bool = False
    full: bool = False

    def _asked(self, name: str, ttl: float | None = None) -> None:
        self.calls.append((name, ttl))
        if self.away or (self.full and ttl is not None):
            raise CacheUnavailable("resting")

    async def get(self, key: bytes) -> CacheEntry | None:
        self._asked("get")
        return self.values.get(key)

    async def add(self, key: bytes, stored: CacheEntry, *, ttl: float) -> CacheEntry | None:
        self._asked("add", ttl)
        there = self.values.get(key)
        self.values.setdefault(key, stored)
        return there

    async def put(self, key: bytes, stored: CacheEntry, *, ttl: float) -> None:
        self._asked("put", ttl)
        self.values[key] = stored

    async def aclose(self) -> None:
        self._asked("aclose")


class Bench:
    """One replica's levels over a store that others share."""

    def __init__(self, store: FakeStore | None = None, *, recheck: float = RECHECK) -> None:
        self.clock = FakeClock()
        self.store = store or FakeStore()
        self.meter = RecordingMeter()
        self.near = BoundedMemoryCache(max_entries=100, now=self.clock.monotonic)
        copies = LocalCopies(self.near, clock=self.clock)
        self.cache = TieredCache(
            copies, self.store, recheck=recheck, clock=self.clock, meter=self.meter
        )

    def stored(self, value: bytes, ttl: float = TTL) -> CacheEntry:
        return CacheEntry(value, self.clock.time() + ttl)


@pytest.mark.parametrize("write", ["put", "add"])
async def test_a_copy_answers_until_it_is_time_to_ask_again(write):
    bench = Bench()
    await getattr(bench.cache, write)(KEY, b"mine", ttl=TTL)
    bench.store.values[KEY] = bench.stored(b"theirs")
    bench.clock.advance(RECHECK - 0.01)
    assert await bench.cache.get(KEY) == b"mine" == bench.cache.peek(KEY)
    bench.clock.advance(0.01)
    assert bench.cache.peek(KEY) is None
    assert await bench.cache.get(KEY) == b"theirs" == bench.cache.peek(KEY)
    assert [name for name, _ in bench.store.calls] == [write, "get"]


async def test_a_copy_that_always_needs_confirmation_is_read_only_where_the_store_fails():
    bench = Bench(recheck=0.0)
    await bench.cache.put(KEY, b"mine", ttl=TTL)
    reads = []
    read, bench.near.get = bench.near.get, lambda key: reads.append(key) or read(key)
    assert await bench.cache.get(KEY) == b"mine"
    assert reads == []
    bench.store.away = True
    assert await bench.cache.get(KEY) == b"mine"
    assert reads == [KEY]


async def test_what_was_read_is_copied_for_as_long_as_it_lives():
    bench = Bench(recheck=1_000.0)
    bench.store.values[KEY] = bench.stored(b"theirs", ttl=50.0)
    assert await bench.cache.get(KEY) == b"theirs"
    bench.store.values.clear()
    bench.clock.advance(49.99)
    assert await bench.cache.get(KEY) == b"theirs"
    bench.clock.advance(0.01)
    assert await bench.cache.get(KEY) is None


async def test_without_a_time_to_recheck_the_store_is_always_asked():
    bench = Bench(recheck=0.0)
    await bench.cache.put(KEY, b"mine", ttl=TTL)
    bench.store.values[KEY] = bench.stored(b"theirs")
    assert bench.cache.peek(KEY) is None
    assert await bench.cache.get(KEY) == b"theirs"


async def test_a_copy_holds_until_its_end_while_the_store_is_away():
    bench = Bench()
    await bench.cache.add(KEY, b"mine", ttl=TTL)
    bench.store.away = True
    bench.clock.advance(TTL - 0.01)
    assert await bench.cache.get(KEY) == b"mine"
    bench.clock.advance(0.01)
    assert await bench.cache.get(KEY) is None
    assert bench.meter.lookups == ["hit", "error"]


async def test_of_what_is_added_without_the_store_the_first_wins_here():
    bench = Bench(FakeStore(away=True))
    assert await bench.cache.add(KEY, b"first", ttl=TTL) is None
    assert await bench.cache.add(KEY, b"second", ttl=TTL) == b"first"
    assert await bench.cache.get(KEY) == b"first"
    assert bench.meter.failed_writes == 2


async def test_what_was_added_without_the_store_is_offered_once_it_is_back():
    bench = Bench(FakeStore(away=True))
    await bench.cache.add(KEY, b"mine", ttl=TTL)
    bench.store.away = False
    bench.clock.advance(30.0)
    assert await bench.cache.get(KEY) == b"mine"
    assert bench.store.values[KEY].value == b"mine"
    assert bench.store.calls[-1] == ("add", pytest.approx(TTL - 30.0))
    calls = len(bench.store.calls)
    assert await bench.cache.get(KEY) == b"mine"
    assert len(bench.store.calls) == calls


async def test_what_the_store_holds_already_wins_over_what_is_offered():
    bench = Bench(FakeStore(away=True))
    await bench.cache.add(KEY, b"mine", ttl=TTL)
    bench.store.away = False
    bench.store.values[KEY] = bench.stored(b"theirs")
    assert await bench.cache.get(KEY) == b"theirs"
    assert await bench.cache.get(KEY) == b"theirs"


async def test_a_replica_that_loses_the_race_to_offer_takes_the_winner():
    bench = Bench()
    await bench.cache.add(KEY, b"mine", ttl=TTL)
    bench.clock.advance(RECHECK)
    bench.store.values.clear()

    async def nothing_yet(_key):
        bench.store.values[KEY] = bench.stored(b"theirs")

    bench.store.get = nothing_yet  # type: ignore[method-assign]
    assert await bench.cache.get(KEY) == b"theirs" == bench.cache.peek(KEY)


async def test_a_store_that_takes_no_writes_leaves_copies_alone():
    bench = Bench(FakeStore(full=True))
    await bench.cache.add(KEY, b"mine", ttl=TTL)
    assert await bench.cache.get(KEY) == b"mine"
    bench.store.full = False
    assert await bench.cache.get(KEY) == b"mine"
    assert bench.store.values[KEY].value == b"mine"


async def test_putting_replaces_here_and_there_even_what_could_not_be_asked():
    bench = Bench()
    await bench.cache.put(KEY, b"old", ttl=TTL)
    bench.store.away = True
    await bench.cache.put(KEY, b"new", ttl=TTL)
    assert await bench.cache.get(KEY) == b"new"
    assert bench.meter.failed_writes == 1


async def test_two_replicas_that_were_apart_agree_again():
    store = FakeStore(away=True)
    here, there = Bench(store), Bench(store)
    await here.cache.add(KEY, b"here", ttl=TTL)
    await there.cache.add(KEY, b"there", ttl=TTL)
    store.away = False
    assert await there.cache.get(KEY) == b"there"
    assert await here.cache.get(KEY) == b"there"


@pytest.mark.parametrize("ahead", [-3_600.0, 3_600.0])
async def test_replicas_whose_clocks_differ_share_all_the_same(ahead):
    store = FakeStore()
    here, there = Bench(store), Bench(store)
    there.clock.epoch += ahead
    await here.cache.add(KEY, b"here", ttl=TTL)
    assert await there.cache.add(KEY, b"there", ttl=TTL) == b"here"
    assert await there.cache.get(KEY) == b"here"


async def test_a_lookup_counts_once_as_what_the_caller_got():
    bench = Bench()
    await bench.cache.get(KEY)
    await bench.cache.put(KEY, b"mine", ttl=TTL)
    await bench.cache.get(KEY)
    bench.clock.advance(RECHECK)
    await bench.cache.get(KEY)
    bench.store.away = True
    await bench.cache.get(b"o" * 16)
    assert bench.meter.lookups == ["miss", "hit", "hit", "error"]


async def test_what_the_store_damaged_is_replaced_by_a_copy_that_still_lives():
    bench = Bench()
    await bench.cache.add(KEY, b"mine", ttl=TTL)
    bench.store.values[KEY] = BROKEN
    bench.clock.advance(RECHECK)
    assert await bench.cache.get(KEY) == b"mine"
    assert bench.store.values[KEY].value == b"mine"
    assert bench.store.calls[-1] == ("put", pytest.approx(TTL - RECHECK))


async def test_what_the_store_damaged_is_a_miss_where_nobody_has_a_copy():
    bench = Bench()
    bench.store.values[KEY] = BROKEN
    assert await bench.cache.get(KEY) is None
    assert bench.meter.lookups == ["miss"]
    assert bench.cache.peek(KEY) is None
