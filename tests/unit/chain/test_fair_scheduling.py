"""Engine calls take turns: in order, with room between two for what arrives meanwhile."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from math import inf

import pytest
from pointsman_server.chain.fair_scheduling import FairScheduler, ScheduledEngine
from pointsman_server.core.fair_share import WORK, Work
from support.builders import answer, query
from support.fakes import ScriptedEngine

ROUNDS = 5


class Line:
    """Callers in line, and what happened in which round of the loop."""

    def __init__(self):
        self.turns = FairScheduler(rounds=ROUNDS)
        self.round = 0
        self.came: list[tuple[str, int]] = []

    def caller(self, name, *, owner=None, due=inf):
        async def ask():
            WORK.set(Work(owner, due))
            await self.turns.take()
            self.came.append((name, self.round))

        return asyncio.create_task(ask())

    async def rounds(self, count):
        for _ in range(count):
            await asyncio.sleep(0)
            self.round += 1

    @property
    def order(self):
        return [name for name, _ in self.came]


async def test_who_comes_alone_does_not_wait():
    turns = FairScheduler()
    with pytest.raises(StopIteration):
        turns.take().send(None)


async def test_turns_go_in_order_and_leave_the_loop_its_rounds():
    line = Line()
    tasks = [line.caller(name) for name in "abc"]
    await line.rounds(4 * ROUNDS)
    assert line.order == ["a", "b", "c"]
    rounds = [number for _, number in line.came]
    assert all(after - before >= ROUNDS for before, after in pairwise(rounds))
    await asyncio.gather(*tasks)


async def test_after_its_rounds_a_turn_is_free_again_at_once():
    line = Line()
    await line.caller("a")
    await line.rounds(ROUNDS)
    with pytest.raises(StopIteration):
        line.turns.take().send(None)


@pytest.mark.parametrize("waited", range(ROUNDS + 2))
async def test_who_leaves_takes_nobody_s_turn(waited):
    line = Line()
    await line.caller("a")
    left = [line.caller(name) for name in "bc"]
    stays = line.caller("d")
    await line.rounds(waited)
    for task in left:
        task.cancel()
    await line.rounds(4 * ROUNDS)
    assert stays.done()
    assert line.order[-1] == "d"


async def test_an_engine_that_hangs_holds_up_no_other_call():
    engine = ScriptedEngine(answer(), gate=asyncio.Event())
    shared = FairScheduler(rounds=ROUNDS)
    calls = [
        asyncio.create_task(ScheduledEngine(engine, turns=shared).decide(query())) for _ in range(3)
    ]
    await Line().rounds(4 * ROUNDS)
    assert engine.calls == len(calls)
    for call in calls:
        call.cancel()


async def test_callers_are_served_in_rotation_and_each_in_the_order_of_its_deadlines():
    line = Line()
    tasks = [line.caller("idle loop")]
    tasks += [line.caller(f"a{due}", owner="a", due=due) for due in (9, 3, 6, 1)]
    tasks += [line.caller(f"b{due}", owner="b", due=due) for due in (5, 2)]
    await line.rounds(8 * ROUNDS)
    assert line.order == ["idle loop", "a1", "b2", "a3", "b5", "a6", "a9"]
    await asyncio.gather(*tasks)


@pytest.mark.parametrize("greedy", [1, 4])
async def test_a_quiet_caller_overtakes_all_that_the_greedy_sent_before_it(greedy):
    line = Line()
    flood = [line.caller(f"g{n}", owner=f"g{n % greedy}") for n in range(200)]
    await line.rounds(20 * ROUNDS)
    before = len(line.order)
    quiet = line.caller("quiet", owner="quiet")
    await line.rounds(3 * ROUNDS)
    assert quiet.done()
    assert line.order.index("quiet") - before <= 1
    for task in flood:
        task.cancel()


async def test_a_caller_that_asks_again_and_again_does_not_always_come_first():
    line = Line()
    flood = [line.caller(f"a{n}", owner="a") for n in range(50)]
    await line.rounds(4 * ROUNDS)

    async def pushy():
        WORK.set(Work("b"))
        for _ in range(50):
            await line.turns.take()
            line.came.append(("b", line.round))

    pushing = asyncio.create_task(pushy())
    await line.rounds(40 * ROUNDS)
    served = line.order[4:34]
    assert 10 <= served.count("b") <= 20, served
    pushing.cancel()
    for task in flood:
        task.cancel()


async def test_callers_whose_turns_are_over_are_forgotten():
    line = Line()
    tasks = [line.caller(n, owner=f"caller {n}") for n in range(20)]
    await line.rounds(30 * ROUNDS)
    await asyncio.gather(*tasks)
    assert not line.turns.queues
