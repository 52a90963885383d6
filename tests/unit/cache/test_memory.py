"""The bounded dictionaries behind aiocache's interface."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections import OrderedDict
from hashlib import sha256

import pytest
from aiocache import SimpleMemoryCache
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.cache import BoundedMemoryCache, memory
from support.fakes import FakeClock

BOUND = 10_000
INSERTS = 60_000


def bounded(*, max_entries=100, clock=None):
    return BoundedMemoryCache(max_entries=max_entries, now=(clock or FakeClock()).monotonic)


# ---------------------------------------------------------------- the bound


async def test_distinct_inserts_keep_the_bound_and_the_newest():
    cache = bounded(max_entries=BOUND)
    most = 0
    for start in range(0, INSERTS, BOUND // 2):
        await cache.multi_set([(n, n) for n in range(start, start + BOUND // 2)], ttl=60)
        most = max(most, len(cache))
    assert BOUND * 0.99 < most == len(cache) <= BOUND
    newest = range(INSERTS - int(BOUND * 0.99), INSERTS)
    assert await cache.multi_get(list(newest)) == list(newest)
    assert await cache.get(INSERTS - BOUND - 1) is None


async def test_hardly_anything_is_dropped_before_nine_tenths_of_the_places_are_taken():
    cache = bounded(max_entries=100 * memory.SET_ENTRIES)
    wanted = 90 * memory.SET_ENTRIES
    await cache.multi_set([(sha256(b"%d" % n).digest(), b"") for n in range(wanted)])
    assert len(cache) > 0.99 * wanted


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="it walks every dictionary there")
async def test_the_garbage_collector_walks_no_entry():
    cache = bounded(max_entries=10 * memory.SET_ENTRIES)
    await cache.multi_set([(b"%d" % n, b"value") for n in range(20 * memory.SET_ENTRIES)], ttl=60)
    await cache.multi_get([b"%d" % n for n in range(20 * memory.SET_ENTRIES)])
    assert not [entries for entries in cache._sets if gc.is_tracked(entries)]


async def test_each_way_in_keeps_the_bound():
    cache = bounded(max_entries=2)
    for n in range(5):
        await cache.set(f"set {n}", n)
        await cache.add(f"add {n}", n)
        assert len(cache) <= 2


async def test_what_was_used_least_recently_goes_first():
    cache = bounded(max_entries=3)
    for name in "abc":
        await cache.set(name, name)
    await cache.get("a")
    await cache.set("b", "B")
    await cache.set("d", "d")
    assert await cache.multi_get(["a", "b", "c", "d"]) == ["a", "B", None, "d"]


@pytest.mark.parametrize("use", ["get", "exists", "multi_get"])
async def test_every_reading_is_a_use(use):
    cache = bounded(max_entries=2)
    await cache.multi_set([("a", 1), ("b", 2)])
    await getattr(cache, use)(["a"] if use == "multi_get" else "a")
    await cache.set("c", 3)
    assert await cache.exists("a")
    assert not await cache.exists("b")


async def test_replacing_a_value_takes_no_room():
    cache = bounded(max_entries=2)
    await cache.multi_set([("a", 1), ("b", 2), ("a", 3), ("a", 4)])
    assert await cache.multi_get(["a", "b"]) == [4, 2]


@pytest.mark.parametrize("sets", [1, 3])
@given(
    st.lists(
        st.tuples(st.sampled_from(["set", "get", "delete", "add"]), st.integers(0, 8)),
        max_size=60,
    ),
    st.integers(1, 4),
)
def test_each_set_holds_what_a_model_of_least_recently_used_holds(sets, steps, bound):
    async def live():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(memory, "SET_ENTRIES", bound if sets > 1 else 100)
            cache = bounded(max_entries=sets * bound)
        # A small number is its own hash.
        models = [OrderedDict() for _ in range(sets)]
        for what, key in steps:
            model = models[key % sets]
            if what == "get":
                assert await cache.get(key) == model.get(key)
                if key in model:
                    model.move_to_end(key)
                continue
            if what == "delete":
                assert await cache.delete(key) == int(model.pop(key, None) is not None)
                continue
            if what == "add" and key in model:
                with pytest.raises(ValueError):  # noqa: PT011  (aiocache's own word)
                    await cache.add(key, key)
                model.move_to_end(key)
                continue
            await getattr(cache, what)(key, key)
            model[key] = key
            model.move_to_end(key)
            if len(model) > bound:
                model.popitem(last=False)
        assert len(cache) == sum(map(len, models))
        there = {key for model in models for key in model}
        assert {key for key in range(9) if await cache.exists(key)} == there

    asyncio.run(live())


# ---------------------------------------------------------------- lifetimes


@pytest.mark.parametrize(("passed", "found"), [(0, "v"), (9.99, "v"), (10, None), (99, None)])
async def test_a_value_is_there_until_its_time_is_over(passed, found):
    clock = FakeClock()
    cache = bounded(clock=clock)
    await cache.set("k", "v", ttl=10)
    clock.advance(passed)
    assert await cache.get("k") == found
    assert await cache.exists("k") is (found is not None)


@given(st.floats(1e-3, 1e6), st.floats(0, 1e9))
async def test_a_lifetime_is_never_longer_and_hardly_shorter_than_asked_for(ttl, now):
    clock = FakeClock()
    clock.now = now
    cache = bounded(clock=clock)
    await cache.set("key", b"value", ttl=ttl)
    clock.now = now + ttl * (1 - 1.5 / memory.MOMENTS)
    assert cache.peek("key") == b"value" or clock.now + 1e-6 >= now + ttl
    clock.now = now + ttl * (1 + 1e-9) + 1e-6
    assert cache.peek("key") is None


def held(cache):
    return {id(entry) for entries in cache._sets for entry in entries.values()}


async def test_equal_values_that_end_together_take_room_once():
    cache = bounded(clock=(clock := FakeClock()))
    for number in range(50):
        await cache.set(number, b"an answer", ttl=60)
    assert len(held(cache)) == 1
    clock.advance(1)
    await cache.set("later", b"an answer", ttl=60)
    await cache.set("other", b"another answer", ttl=60)
    assert len(held(cache)) == 3


async def test_what_equal_values_are_looked_for_among_is_bounded():
    cache = bounded(max_entries=10 * memory._ALIKE)
    for number in range(3 * memory._ALIKE):
        await cache.set(number, b"%d" % number, ttl=60)
        assert len(cache._alike) <= memory._ALIKE


async def test_reading_does_not_prolong_a_life_and_writing_gives_a_new_one():
    clock = FakeClock()
    cache = bounded(clock=clock)
    await cache.multi_set([("read", 1), ("written", 1)], ttl=10)
    clock.advance(9)
    await cache.get("read")
    await cache.set("written", 2, ttl=10)
    clock.advance(9)
    assert await cache.multi_get(["read", "written"]) == [None, 2]


async def test_what_has_expired_can_be_added_again():
    clock = FakeClock()
    cache = bounded(clock=clock)
    await cache.add("k", "old", ttl=10)
    clock.advance(10)
    assert await cache.add("k", "new", ttl=10)
    assert await cache.get("k") == "new"


async def test_what_has_expired_is_not_there_to_be_deleted():
    clock = FakeClock()
    cache = bounded(clock=clock)
    await cache.set("a", 1, ttl=10)
    clock.advance(10)
    assert await cache.delete("a") == 0


async def test_a_value_without_a_lifetime_stays():
    clock = FakeClock()
    cache = bounded(clock=clock)
    await cache.set("k", "v")
    clock.advance(1e9)
    assert await cache.get("k") == "v"


# ---------------------------------------------------------------- as aiocache's own one does

PAIRS = [("a", 1), ("b", "text")]
CALLS = [
    ("get", "a"),
    ("get", "none"),
    ("get", "none", "default"),
    ("multi_get", ["a", "none", "b"]),
    ("set", "a", 2),
    ("multi_set", [("a", 3), ("z", 4)]),
    ("add", "z", 5),
    ("add", "a", 5),
    ("exists", "a"),
    ("exists", "none"),
    ("delete", "a"),
    ("delete", "none"),
    ("clear",),
]


async def outcome_of(cache, name, *arguments):
    """What a call gives or raises, and what is there afterwards."""
    await cache.multi_set(PAIRS)
    try:
        result = await getattr(cache, name)(*arguments)
    except Exception as error:  # noqa: BLE001  (what is compared)
        result = type(error)
    return result, await cache.multi_get(["a", "b", "z", "none"])


@pytest.mark.parametrize("call", CALLS, ids=str)
async def test_it_answers_as_aiocaches_own_memory_cache_does(call):
    # Without its timeout, which costs a timer a call.
    theirs = SimpleMemoryCache(timeout=None)
    assert await outcome_of(bounded(), *call) == await outcome_of(theirs, *call)
    await theirs.clear()


async def test_values_and_keys_are_kept_as_they_are():
    cache, value = bounded(), object()
    await cache.set(b"\x00\xff", value)
    assert await cache.get(b"\x00\xff") is value


async def test_closing_is_quiet():
    cache = bounded()
    await cache.close()
    await cache.close()
