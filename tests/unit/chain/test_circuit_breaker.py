"""The circuit breaker: when it opens, what it lets through, what counts."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.chain.circuit_breaker import CIRCUIT_OPEN, Breaker
from pointsman_server.core.engine_rules import BreakerRules
from pointsman_server.core.errors import EngineFailed
from pointsman_server.lib.circuit_breaker import Circuit
from support.builders import answer, query
from support.fakes import FakeClock, RecordingMeter, ScriptedEngine, failed, settle

RULES = BreakerRules(failures=3, pause=10.0, slow=1.0)
DOWN = failed("http_503")


class Circuitry:
    """A breaker with its engine, its clock and what it told of its states."""

    def __init__(self, *script, gate=None):
        self.clock = FakeClock()
        self.meter = RecordingMeter()
        self.engine = ScriptedEngine(*script, gate=gate)
        self.breaker = Breaker(
            self.engine, name="morph", rules=RULES, clock=self.clock, meter=self.meter
        )

    @property
    def told(self):
        return [state for _, state in self.meter.circuits]

    def call(self):
        return asyncio.create_task(self.breaker.decide(query()))

    async def stage(self):
        """The stage at which a call fails; `None` for an answer."""
        try:
            await self.breaker.decide(query())
        except EngineFailed as error:
            return error.failure.stage
        return None

    async def stages(self, calls):
        return [await self.stage() for _ in range(calls)]


def opened(*script):
    """A breaker whose circuit has just opened; `script` follows."""
    return Circuitry(*[DOWN] * RULES.failures, *script)


async def test_answers_and_failures_pass_a_closed_circuit():
    circuit = Circuitry(answer(), DOWN, answer())
    assert await circuit.stages(3) == [None, "http_503", None]
    assert circuit.breaker.state is Circuit.CLOSED
    assert circuit.told == []


async def test_consecutive_failures_open_it_and_then_nobody_is_called():
    circuit = opened(answer())
    assert await circuit.stages(5) == ["http_503"] * 3 + [CIRCUIT_OPEN] * 2
    assert circuit.engine.calls == 3
    assert circuit.breaker.state is Circuit.OPEN
    assert circuit.breaker.consecutive_failures == 3
    assert circuit.meter.circuits == [("morph", "open")]


async def test_an_open_circuit_fails_as_its_engine_without_having_waited():
    circuit = opened()
    await circuit.stages(3)
    with pytest.raises(EngineFailed) as caught:
        await circuit.breaker.decide(query())
    assert (caught.value.failure.engine, caught.value.elapsed) == ("morph", 0.0)


async def test_an_answer_in_between_starts_the_count_anew():
    circuit = Circuitry(DOWN, DOWN, answer(), DOWN, DOWN, answer())
    assert await circuit.stages(6) == ["http_503"] * 2 + [None] + ["http_503"] * 2 + [None]
    assert circuit.breaker.consecutive_failures == 0


@pytest.mark.parametrize(
    ("rested", "state"), [(9.9, Circuit.OPEN), (10.0, Circuit.HALF_OPEN), (99, Circuit.HALF_OPEN)]
)
async def test_after_its_pause_it_is_half_open(rested, state):
    circuit = opened()
    await circuit.stages(3)
    circuit.clock.advance(rested)
    assert circuit.breaker.state is state


async def test_a_probe_that_answers_closes_it():
    circuit = opened(answer())
    await circuit.stages(3)
    circuit.clock.advance(RULES.pause)
    assert await circuit.stages(2) == [None, None]
    assert circuit.breaker.state is Circuit.CLOSED
    assert circuit.told == ["open", "half_open", "closed"]
    assert circuit.meter.probes == [("morph", "answered")]


async def test_a_probe_that_fails_opens_it_for_another_pause():
    circuit = opened(DOWN, answer())
    await circuit.stages(3)
    circuit.clock.advance(RULES.pause)
    assert await circuit.stages(2) == ["http_503", CIRCUIT_OPEN]
    circuit.clock.advance(RULES.pause - 0.1)
    assert await circuit.stage() == CIRCUIT_OPEN
    circuit.clock.advance(0.1)
    assert await circuit.stage() is None
    assert circuit.told == ["open", "half_open", "open", "half_open", "closed"]
    assert circuit.meter.probes == [("morph", "failed"), ("morph", "answered")]


async def test_a_half_open_circuit_lets_a_single_probe_through():
    gate = asyncio.Event()
    circuit = opened(answer())
    await circuit.stages(3)
    circuit.engine.gate = gate
    circuit.clock.advance(RULES.pause)
    probe = circuit.call()
    await settle()
    assert circuit.breaker.probing
    assert await circuit.stages(3) == [CIRCUIT_OPEN] * 3
    assert circuit.engine.calls == 4
    gate.set()
    await probe
    assert await circuit.stage() is None


async def test_a_cancelled_probe_leaves_its_place_to_the_next_caller():
    circuit = opened(answer())
    await circuit.stages(3)
    circuit.clock.advance(RULES.pause)
    circuit.engine.gate = asyncio.Event()
    probe = circuit.call()
    await settle()
    probe.cancel()
    await asyncio.wait([probe])
    assert not circuit.breaker.probing
    assert circuit.meter.probes == [("morph", "undecided")]
    circuit.engine.gate.set()
    assert await circuit.stage() is None


async def test_calls_given_up_after_a_while_count_and_those_given_up_at_once_do_not():
    circuit = Circuitry()
    circuit.engine.gate = asyncio.Event()
    for waited, counted in [(0.0, 0), (RULES.slow * 0.9, 0), (RULES.slow, 1), (RULES.slow, 2)]:
        call = circuit.call()
        await settle()
        circuit.clock.advance(waited)
        call.cancel()
        await asyncio.wait([call])
        assert circuit.breaker.consecutive_failures == counted


COUNTED = ["http_500", "http_429", "timeout", "fetch", "invalid_response"]


@pytest.mark.parametrize("stage", COUNTED)
async def test_the_engines_own_failures_count(stage):
    circuit = Circuitry(failed(stage))
    assert await circuit.stages(4) == [stage] * 3 + [CIRCUIT_OPEN]


@pytest.mark.parametrize(
    "error",
    [failed("unexpected_error"), failed("deadline"), failed("deadline", elapsed=0.99)],
    ids=["no key", "no time at all", "an impatient caller"],
)
async def test_what_the_engine_is_not_to_blame_for_does_not_count(error):
    circuit = Circuitry(error)
    assert await circuit.stages(10) == [error.failure.stage] * 10
    assert circuit.breaker.consecutive_failures == 0


async def test_an_engine_too_slow_for_its_callers_is_given_a_rest():
    circuit = Circuitry(failed("deadline", elapsed=1.0))
    assert await circuit.stages(4) == ["deadline"] * 3 + [CIRCUIT_OPEN]


async def test_a_failure_that_does_not_count_does_not_reset_the_count_either():
    circuit = Circuitry(DOWN, DOWN, failed("unexpected_error"), DOWN, answer())
    assert (await circuit.stages(5))[-1] == CIRCUIT_OPEN


async def test_a_probe_whose_failure_does_not_count_leaves_it_half_open():
    circuit = opened(failed("unexpected_error"), answer())
    await circuit.stages(3)
    circuit.clock.advance(RULES.pause)
    assert await circuit.stage() == "unexpected_error"
    assert circuit.breaker.state is Circuit.HALF_OPEN
    assert await circuit.stage() is None


async def test_a_probe_that_an_impatient_caller_cut_off_is_followed_by_a_rest():
    circuit = opened(failed("deadline", elapsed=RULES.slow / 2), answer())
    await circuit.stages(3)
    circuit.clock.advance(RULES.pause)
    assert await circuit.stage() == "deadline"
    assert circuit.breaker.state is Circuit.OPEN
    assert await circuit.stage() == "circuit_open"
    circuit.clock.advance(RULES.pause)
    assert await circuit.stage() is None


def test_a_hanging_engine_opens_the_circuit_for_callers_with_half_a_second():
    assert BreakerRules().slow < 0.5 * 0.9


async def test_calls_that_were_under_way_when_it_opened_do_not_put_the_probe_off():
    """An outage ends all of them late, one timeout after they began."""
    circuit = Circuitry()
    gates = [asyncio.Event() for _ in range(6)]

    async def late(gate):
        await gate.wait()
        return DOWN

    circuit.engine.script = [lambda _, g=g: late(g) for g in gates] + [answer()]
    tasks = [circuit.call() for _ in gates]
    await settle()
    for gate in gates:
        gate.set()
        await settle()
        circuit.clock.advance(2.0)
    await asyncio.gather(*tasks, return_exceptions=True)
    # The third opened it, 8 seconds ago.
    assert circuit.breaker.state is Circuit.OPEN
    circuit.clock.advance(2.0)
    assert circuit.breaker.state is Circuit.HALF_OPEN
    assert circuit.told == ["open"]


async def test_a_call_under_way_that_fails_beside_the_probe_does_not_speak_for_it():
    circuit = Circuitry()
    late, probing = asyncio.Event(), asyncio.Event()

    async def after(gate, result):
        await gate.wait()
        return result

    circuit.engine.script = [
        lambda _: after(late, DOWN),
        *[DOWN] * 3,
        lambda _: after(probing, answer()),
        answer(),
    ]
    straggler = circuit.call()
    await settle()
    await circuit.stages(3)
    circuit.clock.advance(RULES.pause)
    probe = circuit.call()
    await settle()
    late.set()
    await asyncio.wait([straggler])
    assert circuit.breaker.state is Circuit.HALF_OPEN
    probing.set()
    await probe
    assert circuit.breaker.state is Circuit.CLOSED


@given(st.lists(st.sampled_from([DOWN, failed("unexpected_error"), answer()]), max_size=30))
def test_whatever_happened_an_engine_that_answers_again_is_asked_again(history):
    async def live():
        circuit = Circuitry(*history, answer())
        for _ in history:
            await circuit.stage()
        circuit.engine.script = [answer()]
        circuit.clock.advance(RULES.pause)
        assert await circuit.stage() is None
        assert circuit.breaker.state is Circuit.CLOSED

    asyncio.run(live())
