"""Laws of a fleet's caches, whatever the seed."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from benchmarks.fleet import Setup, Trouble, serve
from benchmarks.trace import Ask, Shape, make_trace

SHAPE = Shape(requests=1_450, inputs=460)
WAYS = [(affinity, shared) for affinity in (False, True) for shared in (False, True)]
SIZES = (1, 2, 10, 100)
INSTANT = {"engine": 0.0}
"""With an engine that takes no time nothing is in flight: what is left are the caches."""
STRUCK, OVER = 200.0, 260.0
AWAY = (Trouble(at=STRUCK, store_away=True), Trouble(at=OVER, store_back=True))


@pytest.fixture(params=[1, 2])
def seed(request):
    return request.param


@pytest.fixture
def trace(seed):
    return make_trace(SHAPE, seed=seed)


@pytest.fixture
def one_by_one(seed):
    return make_trace(Shape(requests=1_450, inputs=460, at_once=0.0), seed=seed)


@pytest.mark.parametrize(("affinity", "shared"), WAYS)
async def test_one_replica_hits_what_is_repeated(trace, seed, affinity, shared):
    seen = await serve(trace, Setup(replicas=1, affinity=affinity, shared=shared), seed=seed)
    assert seen.hit_rate == pytest.approx(SHAPE.repeated)
    assert seen.shared_calls > 0
    assert seen.changed == []


@pytest.mark.parametrize("replicas", SIZES)
async def test_with_a_shared_cache_the_number_of_replicas_does_not_matter(
    one_by_one, seed, replicas
):
    seen = await serve(one_by_one, Setup(replicas=replicas, shared=True, **INSTANT), seed=seed)
    assert seen.hit_rate == pytest.approx(SHAPE.repeated)


@pytest.mark.parametrize("replicas", SIZES)
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("stickiness", ["exact", "conversation"])
async def test_with_affinity_many_replicas_are_as_one(trace, seed, replicas, shared, stickiness):
    many = Setup(replicas=replicas, affinity=True, shared=shared, stickiness=stickiness)
    seen = await serve(trace, many, seed=seed)
    alone = await serve(trace, Setup(replicas=1, stickiness=stickiness), seed=seed)
    assert seen.called == alone.called
    assert seen.changed == []


@pytest.mark.parametrize("replicas", SIZES)
async def test_with_neither_each_replica_decides_what_it_is_asked(one_by_one, seed, replicas):
    seen = await serve(one_by_one, Setup(replicas=replicas, **INSTANT), seed=seed)
    asked = Counter(ask.input for ask in one_by_one).values()
    # How many of the replicas a key's requests reach, each of them at random.
    expected = sum(replicas * (1 - (1 - 1 / replicas) ** times) for times in asked)
    assert len(seen.called) == pytest.approx(expected, rel=0.05)


async def test_with_neither_more_replicas_hit_less(trace, seed):
    rates = [
        (await serve(trace, Setup(replicas=replicas), seed=seed)).hit_rate for replicas in SIZES
    ]
    assert all(less < more for more, less in pairwise(rates))


@pytest.mark.parametrize("replicas", SIZES[1:])
async def test_a_shared_cache_is_never_worse_than_none_nor_better_than_one_replica(
    trace, seed, replicas
):
    without = await serve(trace, Setup(replicas=replicas), seed=seed)
    seen = await serve(trace, Setup(replicas=replicas, shared=True), seed=seed)
    assert without.hit_rate < seen.hit_rate < SHAPE.repeated
    # Two that had it in flight at once both called; all answer with what was kept first.
    assert seen.changed == []


async def test_a_conversation_that_is_decided_once_is_one_call(trace, seed):
    once = Setup(replicas=10, affinity=True, stickiness="conversation")
    seen = await serve(trace, once, seed=seed)
    assert len(seen.called) == len({ask.conversation for ask in trace})


async def test_what_is_kept_too_shortly_is_decided_again(trace, seed):
    calls = [
        len((await serve(trace, Setup(replicas=1, ttl=ttl), seed=seed)).called)
        for ttl in (1.0, 10.0, 100.0, 1_000.0)
    ]
    assert calls == sorted(calls, reverse=True)
    assert calls[0] > 1.5 * calls[-1]


async def test_the_longer_a_copy_is_good_the_less_the_store_is_asked(trace, seed):
    seen = [
        await serve(trace, Setup(replicas=10, shared=True, recheck=recheck), seed=seed)
        for recheck in (0.0, 1.0, 10.0, 60.0)
    ]
    commands = [each.store_commands for each in seen]
    assert commands == sorted(commands, reverse=True)
    assert commands[-1] < commands[0]
    assert len({tuple(each.called) for each in seen}) == 1


@pytest.mark.parametrize("affinity", [False, True])
async def test_a_replica_that_dies_loses_its_own_decisions_and_only_where_none_are_shared(
    trace, seed, affinity
):
    died = [Trouble(at=STRUCK, dead=(0,))]

    async def calls(*, replicas: int, shared: bool, troubled: bool) -> int:
        setup = Setup(replicas=replicas, affinity=affinity, shared=shared, **INSTANT)
        troubles = died if troubled else ()
        return len((await serve(trace, setup, seed=seed, troubles=troubles)).called)

    alone = [await calls(replicas=1, shared=False, troubled=each) for each in (False, True)]
    shared = [await calls(replicas=1, shared=True, troubled=each) for each in (False, True)]
    assert alone[0] < alone[1]
    assert shared[0] == shared[1]


async def test_who_waited_at_a_replica_that_dies_asks_again(trace, seed):
    setup = Setup(replicas=1, engine=STRUCK * 2)
    died = [Trouble(at=STRUCK, dead=(0,))]
    seen = await serve(trace, setup, seed=seed, troubles=died)
    before = {ask.input for ask in trace if ask.at <= STRUCK}
    assert seen.called.count(STRUCK) == len(before)


async def test_what_a_dead_replica_was_deciding_reaches_nobody():
    asks = [Ask(5.0, conversation=0, input=0), Ask(17.0, conversation=0, input=0)]
    setup = Setup(replicas=1, shared=True, engine=10.0)
    seen = await serve(asks, setup, troubles=[Trouble(at=10.0, dead=(0,))])
    # The call of 5 s would have ended by 17 s; the one of who asked again at 10 s has not.
    assert seen.called == [5.0, 10.0]
    assert seen.shared_calls == 1


async def test_an_outage_of_the_store_costs_nothing_where_conversations_stay(trace, seed):
    stay = Setup(replicas=10, affinity=True, shared=True)
    quiet = await serve(trace, stay, seed=seed)
    struck = await serve(trace, stay, seed=seed, troubles=AWAY)
    assert struck.called == quiet.called
    assert struck.changed == []


async def test_an_outage_of_the_store_leaves_each_replica_to_itself(trace, seed):
    move = Setup(replicas=10, shared=True)
    quiet = await serve(trace, move, seed=seed)
    struck = await serve(trace, move, seed=seed, troubles=AWAY)
    alone = await serve(trace, Setup(replicas=10), seed=seed)
    assert len(quiet.called) < len(struck.called) < len(alone.called)
    assert min(at for at, _ in struck.changed) >= STRUCK


@pytest.mark.parametrize("lost", [False, True])
async def test_once_the_store_is_back_and_copies_are_old_a_key_changes_once_at_most(
    trace, seed, lost
):
    setup = Setup(replicas=10, shared=True)
    back = (AWAY[0], Trouble(at=OVER, store_back=True, store_lost=lost))
    seen = await serve(trace, setup, seed=seed, troubles=back)
    late = Counter(key for at, key in seen.changed if at > OVER + setup.recheck)
    assert set(late.values()) <= {1}


async def test_the_same_seed_plays_the_same(trace, seed):
    setup = Setup(replicas=10, shared=True)
    assert await serve(trace, setup, seed=seed) == await serve(trace, setup, seed=seed)
