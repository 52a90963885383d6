"""Engine calls take turns: in order, with room between two for what arrives meanwhile."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from pointsman_server.chain.fair_scheduling import FairScheduler, ScheduledEngine
from support.builders import answer, query
from support.fakes import ScriptedEngine

ROUNDS = 5


class Line:
    """Callers in line, and what happened in which round of the loop."""

    def __init__(self):
        self.turns = FairScheduler(rounds=ROUNDS)
        self.round = 0
        self.came: list[tuple[str, int]] = []

    def caller(self, name):
        async def ask():
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
