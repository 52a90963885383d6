"""What every `DecisionCache` keeps."""

from __future__ import annotations

import asyncio

import pytest
from aiocache import SimpleMemoryCache
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.cache import AiocacheDecisionCache, BoundedMemoryCache
from pointsman_server.cache.local_copies import LocalCopies
from pointsman_server.cache.tiered import TieredCache
from support.fakes import DictStore, FakeClock, RecordingCache, RecordingMeter

KEY, OTHER = b"k" * 16, b"o" * 16
TTL = 1_800.0


def bounded(clock):
    backend = BoundedMemoryCache(max_entries=1_000, now=clock.monotonic)
    return AiocacheDecisionCache(backend, meter=RecordingMeter())


def aiocaches_own(_clock):
    backend = SimpleMemoryCache(timeout=None)
    return AiocacheDecisionCache(backend, meter=RecordingMeter())


def levelled(clock, *, away=False):
    store = DictStore()
    store.away = away
    near = BoundedMemoryCache(max_entries=1_000, now=clock.monotonic)
    copies = LocalCopies(near, clock=clock)
    return TieredCache(copies, store, recheck=10.0, clock=clock, meter=RecordingMeter())


def cut_off(clock):
    """While the store is away, this process is as good a cache as one without a store."""
    return levelled(clock, away=True)


def fake(_clock):
    return RecordingCache()


CACHES = {
    "memory": bounded,
    "levels": levelled,
    "levels without a store": cut_off,
    "aiocache": aiocaches_own,
    "fake": fake,
}
TIMED = {"memory": bounded, "levels without a store": cut_off}
each_timed = pytest.mark.parametrize("build", TIMED.values(), ids=list(TIMED))


@pytest.fixture(params=CACHES.values(), ids=list(CACHES))
async def cache(request):
    cache = request.param(FakeClock())
    yield cache
    if isinstance(cache, AiocacheDecisionCache):
        # aiocache's own has a timer for each value.
        await cache.backend.clear()
    await cache.aclose()


async def test_what_was_not_put_is_not_there(cache):
    assert await cache.get(KEY) is None


async def test_what_was_put_is_there_under_its_own_key_only(cache):
    await cache.put(KEY, b"value", ttl=TTL)
    assert await cache.get(KEY) == b"value"
    assert await cache.get(OTHER) is None


async def test_putting_replaces(cache):
    await cache.put(KEY, b"old", ttl=TTL)
    await cache.put(KEY, b"new", ttl=TTL)
    assert await cache.get(KEY) == b"new"


async def test_adding_keeps_where_there_is_nothing(cache):
    assert await cache.add(KEY, b"first", ttl=TTL) is None
    assert await cache.get(KEY) == b"first"


async def test_adding_leaves_and_gives_what_is_there(cache):
    await cache.put(KEY, b"first", ttl=TTL)
    assert await cache.add(KEY, b"second", ttl=TTL) == b"first"
    assert await cache.get(KEY) == b"first"


async def test_of_many_that_add_at_once_one_wins_and_all_others_learn_of_it(cache):
    values = [bytes([n]) for n in range(50)]
    found = await asyncio.gather(*(cache.add(KEY, v, ttl=TTL) for v in values))
    winner = await cache.get(KEY)
    assert found.count(None) == 1
    assert values[found.index(None)] == winner
    assert {f for f in found if f is not None} == {winner}


async def test_closing_twice_does_no_harm(cache):
    await cache.aclose()
    await cache.aclose()


@pytest.mark.parametrize("build", CACHES.values(), ids=list(CACHES))
def test_any_bytes_come_back_as_they_were(build):
    @given(st.dictionaries(st.binary(min_size=1, max_size=20), st.binary(max_size=100)))
    def check(entries):
        async def live():
            cache = build(FakeClock())
            for key, value in entries.items():
                await cache.put(key, value, ttl=TTL)
            assert {key: await cache.get(key) for key in entries} == entries
            if isinstance(cache, AiocacheDecisionCache):
                await cache.backend.clear()

        asyncio.run(live())

    check()


# Of what lives by the clock that it is given: fakes note lifetimes, aiocache's own needs real time.


@each_timed
@pytest.mark.parametrize("write", ["put", "add"])
async def test_a_value_is_there_until_its_lifetime_is_over(build, write):
    clock = FakeClock()
    cache = build(clock)
    await getattr(cache, write)(KEY, b"value", ttl=10.0)
    clock.advance(9.99)
    assert await cache.get(KEY) == b"value"
    clock.advance(0.01)
    assert await cache.get(KEY) is None


@each_timed
async def test_what_has_expired_does_not_win_over_what_is_added(build):
    clock = FakeClock()
    cache = build(clock)
    await cache.put(KEY, b"old", ttl=10.0)
    clock.advance(10.0)
    assert await cache.add(KEY, b"new", ttl=10.0) is None
    assert await cache.get(KEY) == b"new"


@each_timed
async def test_adding_in_vain_does_not_prolong_what_is_there(build):
    clock = FakeClock()
    cache = build(clock)
    await cache.put(KEY, b"first", ttl=10.0)
    clock.advance(9.0)
    await cache.add(KEY, b"second", ttl=10.0)
    clock.advance(1.0)
    assert await cache.get(KEY) is None
