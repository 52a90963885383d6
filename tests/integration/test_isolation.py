"""A hanging Morph and a saturated miss path beside cached calls: none of these waits for either."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from pointsman.v1 import (
    batch_route_decisions_pb2,
    describe_routing_pb2,
    routing_service_pb2_grpc,
)
from pointsman.v1 import route_decision_pb2 as pb
from pointsman_server.core import deadlines
from support.eventually import eventually
from support.morph import ScriptedMorph
from support.served import Peer, Starter, policy_text, request
from support.ways import WAYS

PLACES = 8
MISSES = 200
CACHED = 200
HANGS = {"stall_body": True}


def policy(url: str, **breaker: Any) -> str:
    return policy_text(
        engines={
            "order": ["morph", "local"],
            "morph": {
                "url": url,
                "timeout": "60s",
                "max_connections": PLACES,
                "max_in_flight": PLACES,
                "breaker": breaker or {"failures": 1000},
            },
        }
    )


ENVIRONMENT = {"MORPH_API_KEY": "key", "POINTSMAN_MORPH_ROUTER_ENABLED": "true"}


def miss(number: int | str) -> Any:
    caller = pb.Caller(user_id="user-1", session_id=f"miss-{number}")
    return request(f"Rename variable {number}.", caller=caller)


def failures(answer: Any) -> list[tuple[str, str]]:
    return [(f.engine, f.stage) for f in answer.failures]


async def described(peer: Peer) -> Any:
    response = await peer.stub.DescribeRouting(describe_routing_pb2.DescribeRoutingRequest())
    return response.engines[0]


@pytest.fixture
async def morph():
    async with ScriptedMorph() as scripted:
        yield scripted


async def test_calls_over_an_engines_bound_are_decided_by_the_next_one_at_once(
    start: Starter, morph: ScriptedMorph
) -> None:
    peer = await start(policy=policy(morph.url), environment=ENVIRONMENT)
    morph.script(HANGS)
    held = [asyncio.create_task(peer.decide(miss(n), timeout=60)) for n in range(PLACES)]
    await eventually(lambda: len(morph.calls) == PLACES)
    answers = await asyncio.gather(*(peer.decide(miss(100 + n), timeout=60) for n in range(MISSES)))
    assert {a.decision.source for a in answers} == {pb.SOURCE_LOCAL}
    assert {tuple(failures(a)) for a in answers} == {(("morph", "circuit_open"),)}
    assert not any(task.done() for task in held)
    engine = await described(peer)
    assert (engine.in_flight, engine.max_in_flight) == (PLACES, PLACES)
    assert dict(engine.failures) == {"circuit_open": MISSES}
    # Not for an open circuit: the bound is what held.
    assert engine.state == describe_routing_pb2.ENGINE_STATE_READY
    for task in held:
        task.cancel()


async def test_a_caller_that_hangs_up_frees_its_place(start: Starter, morph: ScriptedMorph) -> None:
    peer = await start(policy=policy(morph.url), environment=ENVIRONMENT)
    morph.script(HANGS)
    held = [asyncio.create_task(peer.decide(miss(n), timeout=60)) for n in range(PLACES)]
    await eventually(lambda: len(morph.calls) == PLACES)
    for task in held:
        task.cancel()

    async def free() -> bool:
        return (await described(peer)).in_flight == 0

    await eventually(free)
    morph.script()
    answer = await peer.decide(miss(99), timeout=60)
    assert answer.decision.source == pb.SOURCE_MORPH


async def test_cached_calls_are_answered_while_morph_hangs_and_misses_fill_every_place(
    start: Starter, morph: ScriptedMorph
) -> None:
    peer = await start(policy=policy(morph.url), environment=ENVIRONMENT)
    kept = [miss(10_000 + n) for n in range(PLACES)]
    await asyncio.gather(*map(peer.decide, kept))
    morph.script(HANGS)
    morph.forget()
    misses = [asyncio.create_task(peer.decide(miss(n), timeout=60)) for n in range(MISSES)]
    await eventually(lambda: len(morph.calls) == PLACES)
    answers = await asyncio.gather(
        *(peer.decide(kept[n % len(kept)], timeout=60) for n in range(CACHED))
    )
    assert all(answer.decision.cached for answer in answers)
    assert {answer.decision.source for answer in answers} == {pb.SOURCE_MORPH}
    await eventually(lambda: sum(task.done() for task in misses) == MISSES - PLACES)
    for task in misses:
        task.cancel()


async def test_a_cached_call_overtakes_misses_that_came_before_it(
    start: Starter, morph: ScriptedMorph
) -> None:
    peer = await start(policy=policy(morph.url), environment=ENVIRONMENT)
    kept = miss(10_000)
    await peer.decide(kept)
    morph.script(HANGS)
    morph.forget()
    held = [asyncio.create_task(peer.decide(miss(n), timeout=60)) for n in range(PLACES)]
    await eventually(lambda: len(morph.calls) == PLACES)
    misses = [asyncio.create_task(peer.decide(miss(100 + n), timeout=60)) for n in range(MISSES)]
    await asyncio.sleep(0)
    answer = await peer.decide(kept, timeout=60)
    overtaken = sum(not task.done() for task in misses)
    assert answer.decision.cached
    assert overtaken > MISSES / 2, overtaken
    assert not any(task.done() for task in held)
    await asyncio.gather(*misses)
    for task in held:
        task.cancel()


async def test_a_circuit_s_way_from_closed_to_closed_is_seen_from_outside(
    start: Starter, morph: ScriptedMorph
) -> None:
    breaker = {"failures": 2, "pause": "100ms"}
    peer = await start(policy=policy(morph.url, **breaker), environment=ENVIRONMENT)
    metrics = peer.running.telemetry.metrics

    def counted(name: str) -> dict[tuple[Any, ...], Any]:
        [found] = [r for r in metrics.collect() if r.instrument.name == name]
        return {tuple(p.attributes.values()): p.value for p in found.points}

    async def state() -> int:
        return int((await described(peer)).state)

    assert counted("pointsman.circuit.state")["morph", "closed"] == 1
    morph.script({"status": 503})
    for n in range(2):
        assert failures(await peer.decide(miss(n))) == [("morph", "http_503")]
    assert counted("pointsman.circuit.transitions") == {("morph", "open"): 1}

    async def rested() -> bool:
        return await state() == describe_routing_pb2.ENGINE_STATE_CIRCUIT_HALF_OPEN

    # Half-open without a call: metrics and DescribeRouting say so alike.
    await eventually(rested)
    assert counted("pointsman.circuit.state")["morph", "half_open"] == 1
    morph.script(HANGS)
    morph.forget()
    probe = asyncio.create_task(peer.decide(miss(10), timeout=60))
    await eventually(lambda: len(morph.calls) == 1)
    engine = await described(peer)
    assert (engine.probing, engine.in_flight) == (True, 1)
    assert failures(await peer.decide(miss(11))) == [("morph", "circuit_open")]
    probe.cancel()
    await eventually(lambda: counted("pointsman.circuit.probes") == {("morph", "undecided"): 1})
    morph.script()
    assert (await peer.decide(miss(12))).decision.source == pb.SOURCE_MORPH
    assert counted("pointsman.circuit.probes")["morph", "answered"] == 1
    assert counted("pointsman.circuit.state")["morph", "closed"] == 1
    engine = await described(peer)
    assert (engine.state, engine.consecutive_failures) == (
        describe_routing_pb2.ENGINE_STATE_READY,
        0,
    )
    assert dict(engine.failures) == {"http_503": 2, "circuit_open": 1}
    assert counted("pointsman.engine.failures") == {
        ("morph", "http_503"): 2,
        ("morph", "circuit_open"): 1,
    }


# ---------------------------------------------------------------- fair shares


async def _flooding(port: int) -> None:
    """One connection that sends eight batches of new requests, again and again."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
        stub = routing_service_pb2_grpc.RoutingServiceStub(channel)

        async def batches(number: int) -> None:
            asked = [miss(f"{number}-{n}") for n in range(256)]
            for one in asked:
                one.dry_run = one.classify = True
            batch = batch_route_decisions_pb2.BatchRouteDecisionsRequest(requests=asked)
            while True:
                await stub.BatchRouteDecisions(batch, timeout=60)

        await asyncio.gather(*map(batches, range(8)))


async def test_a_quiet_callers_decisions_overtake_those_of_a_greedy_one(start: Starter) -> None:
    peer = await start()
    metrics = peer.running.telemetry.metrics

    def decided() -> int:
        [found] = [r for r in metrics.collect() if r.instrument.name == "pointsman.calls"]
        return sum(int(point.value) for point in found.points)

    flood = asyncio.create_task(_flooding(peer.running.port))
    await eventually(lambda: decided() > 500)
    for number in range(20):
        before = decided()
        answer = await peer.decide(miss(f"quiet-{number}"), timeout=30)
        assert answer.decision.source == pb.SOURCE_LOCAL
        # Counted, not timed: a busy machine does not move it. Without shares it is some 2,000.
        assert decided() - before < 200
    assert not flood.done()
    flood.cancel()
    await asyncio.gather(flood, return_exceptions=True)


async def test_one_callers_short_deadline_decides_nothing_for_another(
    start: Starter, morph: ScriptedMorph
) -> None:
    text = policy(morph.url)
    peer = await start(policy=text, environment=ENVIRONMENT)
    morph.script({"delay_ms": 400, "json": {"model": "gpt-5.5"}, "times": -1})
    same = miss("shared")
    hasty = asyncio.create_task(peer.decide(same, timeout=0.25))
    await eventually(lambda: len(morph.calls) == 1)
    patient = asyncio.create_task(peer.decide(same, timeout=20))
    first, second = await asyncio.gather(hasty, patient, return_exceptions=True)
    assert second.decision.source == pb.SOURCE_MORPH
    assert not second.failures
    assert len(morph.calls) == 1
    if not isinstance(first, grpc.aio.AioRpcError):  # it may be late on a busy machine
        assert (first.decision.source, failures(first)) == (
            pb.SOURCE_LOCAL,
            [("morph", "deadline")],
        )
    # What the hasty caller got was not kept, either.
    assert (await peer.decide(same)).decision.source == pb.SOURCE_MORPH


async def test_beside_a_hanging_morph_each_way_answers_within_the_callers_time(
    start: Starter, morph: ScriptedMorph, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of ten seconds, Morph gets one: a machine as busy as it may be answers in the rest.
    monkeypatch.setattr(deadlines, "SHARE", 0.9)
    monkeypatch.setattr(deadlines, "MOST", 60.0)
    peer = await start(policy=policy(morph.url), environment=ENVIRONMENT)
    morph.script(HANGS)
    answers = await asyncio.gather(
        *(ask(peer.channel, miss(way).SerializeToString(), timeout=10) for way, ask in WAYS.items())
    )
    for answer in answers:
        assert answer.decision.source == pb.SOURCE_LOCAL
        assert failures(answer) == [("morph", "deadline")]
