"""A bound on an engine's calls: what it refuses, and who frees a place."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.chain.bulkhead import ACTIVE_SECONDS, Bulkhead
from pointsman_server.chain.fallback import Fallback
from pointsman_server.chain.singleflight import SingleFlight
from pointsman_server.core.errors import EngineFailed
from pointsman_server.core.fair_share import WORK, Work
from support.builders import GPT, SONNET, answer, query
from support.fakes import FakeClock, RecordingMeter, ScriptedEngine, failed, settle

LIMIT = 3


class Hall:
    """A bounded engine that hangs until its gate opens."""

    def __init__(self, *script):
        self.gate = asyncio.Event()
        self.engine = ScriptedEngine(*script, gate=self.gate)
        self.meter = RecordingMeter()
        self.bounded = Bulkhead(
            self.engine, name="morph", limit=LIMIT, on_refused=self.meter.engine_refused
        )

    def call(self):
        return asyncio.create_task(self.bounded.decide(query()))

    async def full(self):
        tasks = [self.call() for _ in range(LIMIT)]
        await settle()
        return tasks

    async def refuses(self):
        with pytest.raises(EngineFailed) as caught:
            await self.bounded.decide(query())
        return caught.value


async def test_calls_over_the_limit_fail_at_once_and_ask_nobody():
    hall = Hall()
    tasks = await hall.full()
    error = await hall.refuses()
    assert (error.failure.engine, error.failure.stage) == ("morph", "circuit_open")
    assert error.elapsed == 0
    assert (hall.engine.calls, hall.bounded.inside) == (LIMIT, LIMIT)
    assert hall.meter.engines_refused == ["morph"]
    hall.gate.set()
    await asyncio.gather(*tasks)
    assert hall.bounded.inside == 0


@pytest.mark.parametrize("end", [answer(), failed("timeout"), RuntimeError("a bug")])
async def test_every_end_of_a_call_frees_its_place(end):
    hall = Hall(end)
    tasks = await hall.full()
    hall.gate.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert hall.bounded.inside == 0


async def test_a_cancelled_call_frees_its_place():
    hall = Hall()
    tasks = await hall.full()
    tasks[0].cancel()
    await asyncio.wait([tasks[0]])
    assert hall.bounded.inside == LIMIT - 1
    tasks.append(hall.call())
    await settle()
    assert hall.engine.calls == LIMIT + 1
    hall.gate.set()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_the_next_engine_answers_for_a_full_one():
    hall = Hall()
    tasks = await hall.full()
    local = ScriptedEngine(answer(SONNET))
    chain = Fallback({"morph": hall.bounded, "local": local})
    found = await chain.decide(query(engines=("morph", "local")))
    assert found.model == SONNET
    assert [(f.engine, f.stage) for f in found.failures] == [("morph", "circuit_open")]
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def test_a_shared_call_takes_one_place_until_its_last_caller_leaves():
    hall = Hall()
    flight = SingleFlight(hall.bounded, clock=FakeClock())
    callers = [asyncio.create_task(flight.decide(query())) for _ in range(10 * LIMIT)]
    await settle()
    assert hall.bounded.inside == 1
    for caller in callers[1:]:
        caller.cancel()
    await settle()
    assert hall.bounded.inside == 1
    callers[0].cancel()
    await settle()
    assert hall.bounded.inside == 0


@given(st.lists(st.sampled_from(["call", "cancel", "answer"]), max_size=40))
def test_places_are_neither_lost_nor_made(events):
    async def live():
        gates: list[asyncio.Event] = []

        async def until_told(_):
            gates.append(asyncio.Event())
            await gates[-1].wait()
            return answer(GPT)

        meter = RecordingMeter()
        bounded = Bulkhead(
            ScriptedEngine(until_told), name="morph", limit=LIMIT, on_refused=meter.engine_refused
        )
        tasks: list[asyncio.Task] = []
        for event in events:
            waiting = [t for t in tasks if not t.done()]
            if event == "call":
                tasks.append(asyncio.create_task(bounded.decide(query())))
            elif event == "cancel" and waiting:
                waiting[0].cancel()
            elif event == "answer" and gates:
                gates.pop(0).set()
            await settle()
            assert bounded.inside == sum(not t.done() for t in tasks) <= LIMIT
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert bounded.inside == 0

    asyncio.run(live())


async def test_one_active_caller_may_take_every_place_and_of_several_each_has_a_share():
    clock, gate = FakeClock(), asyncio.Event()
    bounded = Bulkhead(
        ScriptedEngine(gate=gate),
        name="morph",
        limit=100,
        on_refused=lambda _: None,
        now=clock.monotonic,
    )

    async def called(caller):
        WORK.set(Work(caller))
        return await bounded.decide(query())

    async def takes(caller, wanted):
        before = bounded.inside
        tasks = [asyncio.create_task(called(caller)) for _ in range(wanted)]
        await settle()
        tasks_of.extend(tasks)
        return bounded.inside - before

    tasks_of: list[asyncio.Task[object]] = []
    assert await takes("a", 200) == 100
    assert await takes("b", 1) == 0  # full, but from now on it is active
    gate.set()
    await asyncio.gather(*tasks_of, return_exceptions=True)
    gate.clear()
    assert await takes("a", 200) == 80
    assert await takes("b", 200) > 10
    gate.set()
    await asyncio.gather(*tasks_of, return_exceptions=True)
    gate.clear()
    clock.advance(ACTIVE_SECONDS + 1)
    assert await takes("a", 200) == 100
    gate.set()
    await asyncio.gather(*tasks_of, return_exceptions=True)
