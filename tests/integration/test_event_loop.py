"""Nothing that a server does keeps its event loop from other calls for long."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

import grpc
import pytest
from pointsman.v1 import batch_route_decisions_pb2 as batch_pb
from pointsman.v1 import resolve_route_pb2 as resolve_pb
from pointsman.v1 import route_decision_pb2 as pb
from pointsman.v1 import stream_route_decisions_pb2 as stream_pb
from support.loop_watch import watching, yardstick
from support.morph import ScriptedMorph
from support.served import Peer, Starter, policy_text, request

BOUND = 1.5
"""The longest callback, in multiples of `yardstick`: about as many milliseconds.

A miss takes less than one of them; half of one is left for processors with small caches.
"""

TIMES = 15
LONG = "Prove that the sum of the first n odd numbers is n squared, and then refactor it. " * 12
SERVICE = "/pointsman.v1.RoutingService"
NAMED = pb.RoutingContext(auto_model="kilo-auto/frontier", candidate_models=["a/b"] * 4_000)
"""Of 20 KB, which take a multiple of the time that as large a prompt takes to read."""
EVERYTHING_LOGGED: dict[str, Any] = {"decision_log_sample_rate": 1}


async def usually(act: Callable[[], Awaitable[object]]) -> tuple[float, str]:
    """The longest callback while `act` runs, measured by a yardstick beside it.

    The median of many runs, because the garbage collector or a neighbour's cache misses can fall
    into one.
    """
    seen = []
    await act()
    for _ in range(TIMES):
        measure = yardstick()
        with watching() as watch:
            await act()
        seen.append((watch.longest / measure, watch.what))
    return statistics.median_low(seen)


def fresh() -> Callable[[], pb.RouteDecisionRequest]:
    """Requests of conversations that nobody had before."""
    numbers = count()
    return lambda: request(LONG[:1_000], caller=pb.Caller(session_id=f"s{next(numbers)}"))


async def test_the_watch_sees_what_blocks() -> None:
    async def blocks() -> None:
        started = time.thread_time()
        while time.thread_time() - started < 5 * BOUND / 1e3:
            pass

    async def acts() -> None:
        await asyncio.create_task(blocks())

    assert (await usually(acts))[0] > BOUND


@pytest.mark.parametrize("logged", [{}, EVERYTHING_LOGGED], ids=["not logged", "logged"])
async def test_a_kept_decision_never_blocks(start: Starter, logged: dict[str, Any]) -> None:
    peer = await start(policy=policy_text(flags=logged))
    longest, what = await usually(lambda: peer.decide(request()))
    assert longest < BOUND, what


@pytest.mark.parametrize("logged", [{}, EVERYTHING_LOGGED], ids=["not logged", "logged"])
async def test_a_miss_decided_in_this_process_never_blocks(
    start: Starter, logged: dict[str, Any]
) -> None:
    peer, asked = await start(policy=policy_text(flags=logged)), fresh()
    longest, what = await usually(lambda: peer.decide(asked()))
    assert longest < BOUND, what


async def test_a_miss_decided_by_morph_never_blocks(start: Starter) -> None:
    async with ScriptedMorph() as morph:
        policy = policy_text(
            engines={"order": ["morph"], "morph": {"url": morph.url}},
            flags={"morph_router_enabled": True},
        )
        peer = await start(policy=policy, environment={"MORPH_API_KEY": "key"})
        asked = fresh()
        longest, what = await usually(lambda: peer.decide(asked()))
        assert len(morph.calls) == TIMES + 1
    assert longest < BOUND, what


async def test_a_batch_of_large_requests_never_blocks(start: Starter) -> None:
    peer = await start()
    large = batch_pb.BatchRouteDecisionsRequest(requests=[request(routing=NAMED)] * 24)
    wire = large.SerializeToString()
    call = peer.channel.unary_unary(f"{SERVICE}/BatchRouteDecisions")
    longest, what = await usually(lambda: call(wire))
    assert longest < BOUND, what


async def test_a_message_of_a_stream_that_is_too_large_never_blocks(start: Starter) -> None:
    peer = await start()
    many = pb.RoutingContext(candidate_models=["a/b"] * 200_000)
    large = stream_pb.StreamRouteDecisionsRequest(
        correlation_id="large", request=request(routing=many)
    )
    wire = large.SerializeToString()
    call = peer.channel.stream_stream(
        f"{SERVICE}/StreamRouteDecisions",
        response_deserializer=stream_pb.StreamRouteDecisionsResponse.FromString,
    )()

    async def ask() -> None:
        await call.write(wire)
        answer = await call.read()
        assert (answer.correlation_id, answer.status.code) == ("large", 3)

    longest, what = await usually(ask)
    assert longest < BOUND, what


async def test_a_call_that_is_too_large_never_blocks(start: Starter) -> None:
    peer = await start()
    large = resolve_pb.ResolveRouteRequest(purpose="p", candidate_models=["a/b"] * 200_000)
    wire = large.SerializeToString()
    call = peer.channel.unary_unary(f"{SERVICE}/ResolveRoute")

    async def ask() -> None:
        with pytest.raises(grpc.aio.AioRpcError, match="65536 bytes"):
            await call(wire)

    longest, what = await usually(ask)
    assert longest < BOUND, what


async def test_taking_a_new_policy_file_never_blocks(start: Starter) -> None:
    peer = await start()
    longest, what = await usually(lambda: reloaded(peer))
    assert longest < BOUND, what


async def reloaded(peer: Peer) -> None:
    assert await peer.running.watcher.reload()


async def test_identical_misses_at_once_ask_an_engine_once(start: Starter) -> None:
    async with ScriptedMorph() as morph:
        policy = policy_text(
            engines={"order": ["morph"], "morph": {"url": morph.url}},
            flags={"morph_router_enabled": True},
        )
        peer = await start(policy=policy, environment={"MORPH_API_KEY": "key"})
        answers = await asyncio.gather(*(peer.decide(request()) for _ in range(64)))
        assert len(morph.calls) == 1
    assert {answer.decision.model for answer in answers} == {"openai/gpt-5.5"}
