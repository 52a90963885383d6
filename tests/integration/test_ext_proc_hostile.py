"""Envoys and clients that keep places, send other bytes, or compress: the others are served."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pointsman_client.testing import FakeService, routed
from pointsman_extproc.server import SERVICE
from pointsman_extproc.wire import external_processor_pb2 as pb
from support.ext_proc import BODY, USUAL, body_of, head_of, passed, processing

DECIDED = "vendor/decided"
MOST_HELD = 50


@pytest.fixture
async def fake() -> AsyncIterator[FakeService]:
    async with FakeService() as service:
        yield service


@pytest.mark.parametrize(
    "room",
    [{"most_bytes": len(BODY), "most_held_bytes": 2 * len(BODY)}, {"most_held_requests": 2}],
    ids=["bytes", "requests"],
)
@pytest.mark.parametrize("serves", [True, False])
async def test_clients_that_do_not_send_their_bodies_keep_nobody_out(
    room: dict[str, int], serves: bool, fake: FakeService
) -> None:
    fake.always(routed(DECIDED))
    async with processing(fake, serves=serves, least_wait=0.0, **room) as running:
        slow = [running.open() for _ in range(5)]
        for each in slow:
            await each.write(head_of(USUAL))
            assert (await each.read()).mode_override.request_body_mode
        _, answer = await running.post()
        assert passed(answer) is not serves
        # The two that waited longest gave way, and one of the rest to the request that was sent.
        for each in slow[:4]:
            left = await each.read()
            if serves:
                assert left.immediate_response.status.code == 503
            else:  # the stream ends, and Envoy lets the request go on
                assert left is grpc.aio.EOF
            assert await each.code() is grpc.StatusCode.OK
        await slow[4].write(body_of(BODY))
        assert passed(await slow[4].read()) is not serves


async def test_health_is_told_beside_as_many_requests_as_are_held(fake: FakeService) -> None:
    async with processing(fake, most_held_requests=MOST_HELD, least_wait=600.0) as running:
        slow = [running.open() for _ in range(MOST_HELD)]
        for each in slow:
            await each.write(head_of(USUAL | {"content-length": "1"}))
        for each in slow:
            await each.read()
        [late] = await running.ask(head_of(USUAL))
        assert late.immediate_response.status.code == 503
        assert await _serves(running.channel)


async def _serves(channel: grpc.aio.Channel) -> bool:
    health = health_pb2_grpc.HealthStub(channel)
    answer = await health.Check(health_pb2.HealthCheckRequest())
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


async def test_a_stream_that_says_nothing_ends(fake: FakeService) -> None:
    async with processing(fake, first_within=0.01) as running:
        silent = running.open()
        assert await silent.read() is grpc.aio.EOF
        assert await silent.code() is grpc.StatusCode.OK


@pytest.mark.parametrize("first", [(), (head_of(USUAL),)], ids=["first", "after the headers"])
async def test_bytes_that_are_no_message_are_refused_without_a_line(
    first: Sequence[pb.ProcessingRequest], fake: FakeService, caplog: pytest.LogCaptureFixture
) -> None:
    fake.always(routed(DECIDED))
    async with processing(fake) as running:
        call = running.channel.stream_stream(f"/{SERVICE}/Process")()
        for message in first:
            await call.write(message.SerializeToString())
            await call.read()
        await call.write(b"\xff" * 3)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call.read()
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert refused.value.details() == "not a message of ext_proc v3"
        assert not caplog.records
        _, answer = await running.post()
        assert answer.request_body.response.body_mutation.body


async def test_compression_is_refused_before_a_message_is_sent(fake: FakeService) -> None:
    async with processing(fake) as running:
        process = running.channel.stream_stream(f"/{SERVICE}/Process")
        call = process(compression=grpc.Compression.Gzip)
        assert await call.code() is grpc.StatusCode.UNIMPLEMENTED
        assert await _serves(running.channel)
