"""How much a stream of `StreamRouteDecisions` holds, and how it ends."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from pointsman.v1 import route_decision_pb2 as pb
from support.details import detail
from support.eventually import eventually
from support.served import Peer, Starter, request
from support.stream_calls import PATH, Gate, ids, item, open_calls, read, rest, slow

# ---------------------------------------------------------------- what a stream may hold


async def test_a_stream_with_too_much_in_flight_is_read_no_further(start: Starter) -> None:
    peer = await start(stream_in_flight=3)
    gate = Gate(peer)
    call = peer.stub.StreamRouteDecisions()
    for number in range(9):
        await call.write(item(str(number), slow(str(number))))
    await eventually(lambda: gate.inside == 3)
    other = await peer.decide(request())  # a whole round trip, in which a fourth could come
    assert other.outcome == pb.OUTCOME_ROUTED
    assert gate.inside == 3
    gate.open.set()
    await call.done_writing()
    assert sorted(ids(await rest(call))) == [str(n) for n in range(9)]


async def test_a_client_that_does_not_read_its_answers_stops_being_read(start: Starter) -> None:
    peer = await start()
    call = peer.stub.StreamRouteDecisions()
    written = 0

    async def flood() -> None:
        nonlocal written
        message = item("x", request("p" * 20_000))
        while True:
            await call.write(message)
            written += 1

    flooding = asyncio.create_task(flood())
    seen = -1

    def stands_still() -> bool:
        nonlocal seen
        before, seen = seen, written
        return written > 0 and before == written

    await eventually(lambda: _twice(stands_still))
    [stream] = _open_streams()
    assert stream._in_flight <= 256
    assert len(stream._answers) <= 256
    call.cancel()
    flooding.cancel()
    await asyncio.gather(flooding, return_exceptions=True)
    await eventually(lambda: not _open_streams())


async def _twice(holds: Callable[[], bool]) -> bool:
    """Whether it holds now and after a time in which a server that reads would have read on."""
    if not holds():
        return False
    await asyncio.sleep(0.5)
    return holds()


def _open_streams() -> list[Any]:
    from pointsman_server.transport.stream import Streams

    return [s for o in gc.get_objects() if isinstance(o, Streams) for s in o._open]


# ---------------------------------------------------------------- ends


async def test_a_cancelled_stream_cancels_what_is_in_flight(start: Starter) -> None:
    peer = await start()
    gate = Gate(peer)
    call = peer.stub.StreamRouteDecisions()
    for number in range(5):
        await call.write(item(str(number), slow(str(number))))
    await eventually(lambda: gate.inside == 5)
    assert open_calls(peer) == 5
    call.cancel()
    await eventually(lambda: gate.cancelled == 5)
    await eventually(lambda: open_calls(peer) == 0)


async def test_a_client_that_vanishes_frees_what_it_held(start: Starter) -> None:
    peer = await start()
    gate = Gate(peer)
    async with other_channel(peer) as channel:
        call = channel.stream_stream(PATH)()
        await call.write(item("x", slow()).SerializeToString())
        await eventually(lambda: gate.inside)
    await eventually(lambda: gate.cancelled)
    await eventually(lambda: open_calls(peer) == 0)


async def test_a_server_that_stops_answers_what_it_took_and_says_that_the_stream_ends(
    start: Starter,
) -> None:
    peer = await start(grace=30)
    gate = Gate(peer)
    call = peer.stub.StreamRouteDecisions()
    await call.write(item("slow", slow()))
    await eventually(lambda: gate.inside)
    stopping = asyncio.ensure_future(peer.stop())
    await eventually(lambda: all(s._ended for s in _open_streams()))
    gate.open.set()
    assert (await read(call)).correlation_id == "slow"
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await read(call)
    assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
    assert detail(ended.value, error_details_pb2.ErrorInfo).reason == "STREAM_ENDED"
    await stopping


async def test_a_server_that_stops_does_not_wait_for_idle_streams(start: Starter) -> None:
    peer = await start(grace=300)
    call = peer.stub.StreamRouteDecisions()
    await call.write(item("x"))
    await read(call)
    async with asyncio.timeout(60):
        await peer.stop()


async def test_a_stream_ends_at_its_age(start: Starter) -> None:
    peer = await start(stream_max_age=0.05)
    call = peer.stub.StreamRouteDecisions()
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await read(call)
    assert detail(ended.value, error_details_pb2.ErrorInfo).reason == "STREAM_ENDED"


async def test_no_age_means_that_a_stream_lasts(start: Starter) -> None:
    peer = await start(stream_max_age=0)
    call = peer.stub.StreamRouteDecisions()
    await call.write(item("x"))
    assert (await read(call)).HasField("response")


@asynccontextmanager
async def other_channel(peer: Peer) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{peer.running.port}") as channel:
        yield channel
