"""Identical misses in flight share one call; nobody's deadline or cancellation is another's."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from pointsman_server.chain.singleflight import SingleFlight
from pointsman_server.core.errors import EnginesFailed
from support.builders import GPT, OPUS, SONNET, answer, model, query
from support.fakes import FakeClock, ScriptedEngine, failed, settle

CALLERS = 20
DOWN = EnginesFailed([failed("http_503").failure])


class Tower:
    """A single flight, its engine and the gate that holds the engine's calls."""

    def __init__(self, *script):
        self.gate = asyncio.Event()
        self.clock = FakeClock()
        self.engine = ScriptedEngine(*script, gate=self.gate)
        self.flight = SingleFlight(self.engine, clock=self.clock)

    def call(self, asked=None, **changes):
        return asyncio.create_task(self.flight.decide(asked or query(**changes)))

    def soon(self):
        """A deadline that leaves a moment of patience."""
        return self.clock.now + 0.005

    async def land(self, *tasks):
        self.gate.set()
        return await asyncio.gather(*tasks, return_exceptions=True)


async def test_identical_queries_in_flight_share_one_call():
    tower = Tower(answer(SONNET))
    tasks = [tower.call() for _ in range(CALLERS)]
    await settle()
    assert await tower.land(*tasks) == [answer(SONNET)] * CALLERS
    assert tower.engine.calls == 1


async def test_queries_with_other_keys_fly_apart():
    tower = Tower(lambda q: answer(SONNET, explanation=q.key.hex()))
    tasks = [tower.call(key=key) for key in (b"one", b"two", b"one")]
    await settle()
    found = await tower.land(*tasks)
    assert [a.explanation for a in found] == [k.hex() for k in (b"one", b"two", b"one")]
    assert tower.engine.calls == 2


async def test_queries_without_a_key_share_nothing():
    tower = Tower()
    tasks = [tower.call(key=None) for _ in range(3)]
    await settle()
    await tower.land(*tasks)
    assert tower.engine.calls == 3


async def test_a_flight_that_has_landed_is_not_joined():
    tower = Tower(answer(SONNET), answer(GPT))
    assert await tower.land(tower.call()) == [answer(SONNET)]
    assert await tower.land(tower.call()) == [answer(GPT)]


async def test_no_callers_deadline_bounds_the_shared_call():
    tower = Tower()
    tasks = [tower.call(deadline=tower.clock.now + left) for left in (5, 50)]
    await settle()
    await tower.land(*tasks)
    assert [q.deadline for q in tower.engine.queries] == [None]


# ---------------------------------------------------------------- failures


async def test_when_the_engines_are_down_all_callers_fail_on_one_call():
    tower = Tower(DOWN)
    tasks = [tower.call(deadline=tower.clock.now + 5) for _ in range(CALLERS)]
    await settle()
    found = await tower.land(*tasks)
    assert [f.failures for f in found] == [DOWN.failures] * CALLERS
    assert tower.engine.calls == 1


async def test_the_caller_after_a_failure_asks_anew():
    tower = Tower(DOWN, answer(SONNET))
    await tower.land(tower.call())
    assert await tower.land(tower.call()) == [answer(SONNET)]


async def test_an_error_that_is_nobodys_fault_reaches_every_caller():
    tower = Tower(RuntimeError("a bug"))
    tasks = [tower.call() for _ in range(3)]
    await settle()
    assert {type(found) for found in await tower.land(*tasks)} == {RuntimeError}


# ---------------------------------------------------------------- cancellation


@pytest.mark.parametrize("leaver", [0, 1, 2], ids=["first", "middle", "last"])
async def test_cancelling_one_caller_cancels_no_other(leaver):
    tower = Tower(answer(SONNET))
    tasks = [tower.call() for _ in range(3)]
    await settle()
    tasks[leaver].cancel()
    await settle()
    assert tower.engine.cancelled == 0
    found = await tower.land(*tasks)
    assert isinstance(found.pop(leaver), asyncio.CancelledError)
    assert found == [answer(SONNET)] * 2
    assert tower.engine.calls == 1


async def test_when_the_last_caller_leaves_the_call_ends():
    tower = Tower()
    tasks = [tower.call() for _ in range(3)]
    await settle()
    for task in tasks:
        task.cancel()
    await settle()
    assert all(task.cancelled() for task in tasks)
    assert tower.engine.cancelled == 1


async def test_who_comes_after_an_abandoned_flight_starts_another():
    tower = Tower(answer(SONNET), answer(GPT))
    abandoned = tower.call()
    await settle()
    abandoned.cancel()
    await asyncio.wait([abandoned])
    # At once: the abandoned call may still be ending.
    newcomers = [tower.call(), tower.call()]
    await settle()
    assert await tower.land(*newcomers) == [answer(GPT)] * 2
    assert tower.engine.calls == 2


async def test_a_call_that_takes_its_time_to_end_is_not_joined_any_more():
    ending = asyncio.Event()

    async def reluctant():
        try:
            await asyncio.Event().wait()
        finally:
            await ending.wait()

    tower = Tower(lambda _: reluctant(), answer(GPT))
    tower.gate.set()
    abandoned = tower.call()
    await settle()
    abandoned.cancel()
    await settle()
    assert await tower.call() == answer(GPT)
    ending.set()
    await settle()


async def test_a_failure_that_nobody_waits_for_any_more_is_no_unretrieved_error(caplog):
    release = asyncio.Event()

    async def stubborn():
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await release.wait()
        raise DOWN

    tower = Tower(lambda _: stubborn())
    tower.gate.set()
    task = tower.call()
    await settle()
    task.cancel()
    await settle()
    release.set()
    await settle()
    del tower, task
    assert caplog.records == []


# ---------------------------------------------------------------- deadlines


async def test_a_caller_whose_time_runs_out_decides_alone_and_leaves_the_others_be():
    tower = Tower()
    waiting = asyncio.Event()

    async def slow():
        await waiting.wait()
        return answer(SONNET)

    tower.engine.script = [lambda _: slow(), answer(GPT)]
    tower.gate.set()
    patient = tower.call()
    await settle()
    hasty = tower.call(deadline=tower.soon())
    assert await hasty == answer(GPT)
    assert tower.engine.queries[1].deadline == tower.soon()
    waiting.set()
    assert await patient == answer(SONNET)
    assert tower.engine.cancelled == 0


async def test_a_first_caller_whose_time_runs_out_leaves_the_call_to_the_others():
    tower = Tower()
    waiting = asyncio.Event()

    async def slow():
        await waiting.wait()
        return answer(SONNET)

    tower.engine.script = [lambda _: slow(), answer(GPT)]
    tower.gate.set()
    hasty = tower.call(deadline=tower.soon())
    patient = tower.call()
    assert await hasty == answer(GPT)
    waiting.set()
    assert await patient == answer(SONNET)
    assert tower.engine.calls == 2


@pytest.mark.parametrize(("left", "patience"), [(None, None), (1.0, 1.0), (0.0, 0.0), (-5.0, 0.0)])
def test_a_caller_waits_for_another_one_s_call_until_its_time_is_over(left, patience):
    tower = Tower()
    deadline = None if left is None else tower.clock.now + left
    found = tower.flight.patience(query(deadline=deadline))
    assert found == (patience if patience is None else pytest.approx(patience))


async def test_a_caller_without_any_time_left_still_gets_an_answer():
    tower = Tower(answer(SONNET))
    tower.gate.set()
    assert await tower.call(deadline=tower.clock.now - 1) == answer(SONNET)


@pytest.mark.parametrize("hasty_ones", [1, 2, 5])
@pytest.mark.parametrize("first", ["hasty", "patient"])
async def test_the_patient_get_the_shared_answer_and_the_hasty_decide_alone(hasty_ones, first):
    waiting = asyncio.Event()

    async def slow():
        await waiting.wait()
        return answer(SONNET)

    def script(asked):
        return slow() if asked.deadline is None else answer(GPT)

    tower = Tower(*[script] * (hasty_ones + 1))
    tower.gate.set()
    patient = [tower.call(deadline=tower.clock.now + 60)] if first == "patient" else []
    await settle()
    hasty = [tower.call(deadline=tower.soon()) for _ in range(hasty_ones)]
    await settle()
    patient += [tower.call(deadline=tower.clock.now + 60) for _ in range(3)]
    assert await asyncio.gather(*hasty) == [answer(GPT)] * hasty_ones
    waiting.set()
    assert set(await asyncio.gather(*patient)) == {answer(SONNET)}
    assert tower.engine.calls == 1 + hasty_ones
    assert tower.engine.cancelled == 0


async def test_a_call_that_outlasts_every_caller_is_cancelled():
    tower = Tower(lambda q: asyncio.Event().wait() if q.deadline is None else answer(GPT))
    tower.gate.set()
    found = await asyncio.gather(*(tower.call(deadline=tower.soon()) for _ in range(3)))
    assert found == [answer(GPT)] * 3
    await settle()
    assert tower.flight.flights == {}


# ---------------------------------------------------------------- other candidates, same key


async def test_a_follower_is_never_given_a_model_that_it_did_not_offer():
    """Keys are made of router ids, and without the fence: the public ids may differ."""
    alias = model("z/alias", router_id=model(SONNET).router_id)
    tower = Tower(lambda q: answer(q.candidates[1].public_id, router_model="claude-sonnet-4-6"))
    first = query(OPUS, SONNET)
    other = replace(first, candidates=(model(OPUS), alias))
    tasks = [tower.call(first), tower.call(other)]
    await settle()
    assert [a.model for a in await tower.land(*tasks)] == [SONNET, "z/alias"]


async def test_a_follower_behind_a_fence_is_not_led_over_it():
    tower = Tower(answer(GPT), answer(OPUS))
    tasks = [tower.call(query(OPUS, SONNET, GPT)), tower.call(query(OPUS, SONNET))]
    await settle()
    assert [a.model for a in await tower.land(*tasks)] == [GPT, OPUS]
