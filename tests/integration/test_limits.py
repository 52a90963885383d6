"""What one peer may ask of a connection, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from chaos.parts import frames
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pointsman.v1 import route_decision_pb2 as pb
from pointsman.v1 import routing_service_pb2_grpc
from pointsman_client import RoutingClient, Transport
from pointsman_server.transport.channel_args import MESSAGE_BYTES, METADATA_BYTES, Limits, options
from pointsman_server.transport.security.bearer_auth import token_hash
from support.details import detail
from support.eventually import eventually
from support.http2 import (
    ENHANCE_YOUR_CALM,
    MAX_CONCURRENT_STREAMS,
    PING,
    SETTINGS,
    RawConnection,
    frame,
)
from support.load import Load
from support.served import FRONTIER, Starter, request
from support.unsent_requests import CHECK, promises


class Wire:
    """Passes bytes on to a port, and counts the connections. Of bare sockets: what the test leaves
    open at its end is closed at once, whoever still reads or writes."""

    def __init__(self, port: int) -> None:
        self.connections = 0
        self._port = port

    @contextlib.asynccontextmanager
    async def laid(self) -> AsyncIterator[str]:
        """Gives its address."""
        with socket.create_server(("127.0.0.1", 0)) as listening:
            listening.setblocking(False)
            taking = asyncio.create_task(self._take(listening))
            try:
                yield f"127.0.0.1:{listening.getsockname()[1]}"
            finally:
                taking.cancel()
                await asyncio.gather(taking, return_exceptions=True)

    async def _take(self, listening: socket.socket) -> None:
        async with asyncio.TaskGroup() as tasks:
            while True:
                near, _ = await asyncio.get_running_loop().sock_accept(listening)
                self.connections += 1
                tasks.create_task(self._connect(near))

    async def _connect(self, near: socket.socket) -> None:
        with near, socket.socket() as far, contextlib.suppress(OSError):
            near.setblocking(False)
            far.setblocking(False)
            await asyncio.get_running_loop().sock_connect(far, ("127.0.0.1", self._port))
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_pass_on(near, far))
                tasks.create_task(_pass_on(far, near))


async def _pass_on(source: socket.socket, target: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError):
        while passed := await loop.sock_recv(source, 65_536):
            await loop.sock_sendall(target, passed)
        target.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("transport", list(Transport))
async def test_a_connection_of_age_is_left_by_its_client_without_a_failed_call(
    start: Starter, transport: Transport
) -> None:
    # A stream keeps its connection, within the grace; what moves it is its own age.
    peer = await start(max_connection_age=0.2, max_connection_age_grace=20, stream_max_age=0.3)
    wire = Wire(peer.running.port)
    async with (
        wire.laid() as address,
        # Without retries: a call that fails is seen.
        RoutingClient(address, timeout=20, retries=0, transport=transport) as routing,
    ):

        async def ask(number: int) -> str | None:
            answer = await routing.route(
                "Guard this accessor.",
                user_id=f"u{number}",
                tier="kilo-auto/frontier",
                candidates=FRONTIER,
            )
            return None if answer.outcome == "routed" else answer.outcome

        async with Load(ask, callers=8, pause=0.001) as load:
            phase = await load.phase("aging", 0.01)
            await eventually(lambda: wire.connections >= 5 and phase.sent >= 50)
    assert not phase.failed
    assert not phase.wrong


async def test_a_connection_without_calls_is_asked_to_go(start: Starter) -> None:
    peer = await start(max_connection_idle=0.2)
    async with RawConnection(peer.running.port) as connection:
        connection.greet()
        _, text = await connection.goodbye()
        assert "idle" in text


async def test_a_flood_of_pings_ends_the_connection_and_no_other(start: Starter) -> None:
    peer = await start()
    await peer.decide(request())
    async with RawConnection(peer.running.port) as connection:
        connection.greet()
        await connection.frame(SETTINGS)
        connection.send(frame(PING, bytes(8)) * 8)
        code, text = await connection.goodbye()
        assert (code, text) == (ENHANCE_YOUR_CALM, "too_many_pings")
    assert (await peer.decide(request())).outcome == pb.OUTCOME_ROUTED


async def test_headers_are_taken_up_to_their_bound_and_refused_far_above_it(
    start: Starter,
) -> None:
    peer = await start()
    fits = [("x-note", "n" * (METADATA_BYTES - 1_024))]
    assert (await peer.decide(request(), metadata=fits)).outcome == pb.OUTCOME_ROUTED
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await peer.decide(request(), metadata=[("x-note", "n" * (2 * METADATA_BYTES))])
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (await peer.decide(request())).outcome == pb.OUTCOME_ROUTED


async def test_a_message_above_the_bound_is_refused_before_it_is_read(start: Starter) -> None:
    peer = await start()
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await peer.decide(request("x" * MESSAGE_BYTES))
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_connections_above_the_limit_are_closed_until_one_leaves(start: Starter) -> None:
    peer = await start(max_connections=2)
    async with RawConnection(peer.running.port) as first:
        first.greet()
        await first.frame(SETTINGS)
        assert (await peer.decide(request())).outcome == pb.OUTCOME_ROUTED
        async with RawConnection(peer.running.port) as third:
            third.greet()
            await third.ended()
        assert (await peer.decide(request())).outcome == pb.OUTCOME_ROUTED

    async def let_in() -> bool:
        async with RawConnection(peer.running.port) as next_one:
            next_one.greet()
            try:
                await next_one.frame(SETTINGS)
            except (asyncio.IncompleteReadError, ConnectionResetError):
                return False
        return True

    await eventually(let_in)


@pytest.mark.parametrize(("given", "told"), [({}, 256), ({"max_concurrent_streams": 7}, 7)])
async def test_a_connection_is_told_how_many_calls_it_may_have(
    start: Starter, given: dict[str, int], told: int
) -> None:
    peer = await start(**given)
    async with RawConnection(peer.running.port) as connection:
        connection.greet()
        settings = dict(struct.iter_unpack(">HI", await connection.frame(SETTINGS)))
    assert settings[MAX_CONCURRENT_STREAMS] == told


async def test_calls_above_that_wait_at_their_client_and_none_is_lost(start: Starter) -> None:
    peer = await start(max_concurrent_streams=2)
    answers = await asyncio.gather(*(peer.decide(request(), timeout=60) for _ in range(100)))
    assert {a.outcome for a in answers} == {pb.OUTCOME_ROUTED}


async def test_calls_whose_request_does_not_come_count_and_leave_probes_and_the_admin_address_alone(
    start: Starter,
) -> None:
    peer = await start(max_open_calls=3)

    async def refusal() -> grpc.aio.AioRpcError | None:
        try:
            await peer.decide(request())
        except grpc.aio.AioRpcError as error:
            return error
        return None

    async def let_in() -> bool:
        return await refusal() is None

    async with promises("/pointsman.v1.RoutingService/RouteDecision", 3, peer.running.port):
        await eventually(refusal)
        refused = await refusal()
        assert refused is not None
        assert refused.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert detail(refused, error_details_pb2.RetryInfo).retry_delay.ToMilliseconds() > 0
        health = health_pb2_grpc.HealthStub(peer.channel)
        serving = health_pb2.HealthCheckResponse.SERVING
        assert (await health.Check(health_pb2.HealthCheckRequest(), timeout=10)).status == serving
        async with grpc.aio.insecure_channel(f"127.0.0.1:{peer.running.admin_port}") as channel:
            admin = routing_service_pb2_grpc.RoutingServiceStub(channel)
            assert (await admin.RouteDecision(request(), timeout=10)).outcome == pb.OUTCOME_ROUTED
    await eventually(let_in)


async def test_probes_whose_request_does_not_come_have_a_bound_and_keep_no_gateway_out(
    start: Starter, tmp_path: Path
) -> None:
    # Probes need no token: of all calls, a stranger can open these.
    tokens = tmp_path / "tokens"
    tokens.write_text(f"gateway {token_hash('s3cret')}\n")
    peer = await start(max_connections=2, tokens_file=tokens)
    health = health_pb2_grpc.HealthStub(peer.channel)

    async def refused() -> bool:
        try:
            await health.Check(health_pb2.HealthCheckRequest(), timeout=10)
        except grpc.aio.AioRpcError as error:
            return error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        return False

    async with promises("/grpc.health.v1.Health/Check", 2, peer.running.port):
        await eventually(refused)
        gateway = [("authorization", "Bearer s3cret")]
        assert (await peer.decide(request(), metadata=gateway)).outcome == pb.OUTCOME_ROUTED


async def test_who_connects_and_says_nothing_is_hung_up_on(
    start: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pointsman_server.transport.channel_args.HANDSHAKE", 1.0)
    peer = await start()
    async with RawConnection(peer.running.port) as silent:
        await silent.ended()
    assert (await peer.decide(request())).outcome == pb.OUTCOME_ROUTED


async def test_a_peer_that_answers_no_probe_is_hung_up_on(
    start: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pointsman_server.transport.channel_args.KEEPALIVE_TIMEOUT", 0.2)
    peer = await start(keepalive=0.2)
    async with RawConnection(peer.running.port) as dead:
        dead.greet()
        await dead.frame(PING)
        await dead.ended()


def test_a_time_of_nought_means_never() -> None:
    endless = dict(options(Limits(age=0, age_grace=0, idle=0, keepalive=0)))
    for name in ("max_connection_age_ms", "max_connection_age_grace_ms", "max_connection_idle_ms",
                 "keepalive_time_ms"):  # fmt: skip
        assert endless[f"grpc.{name}"] == 2**31 - 1


EVERY_METHOD = [
    CHECK, "/grpc.health.v1.Health/Watch", "/pointsman.v1.RoutingService/RouteDecision",
    "/pointsman.v1.RoutingService/BatchRouteDecisions", "/pointsman.v1.RoutingService/ResolveRoute",
    "/pointsman.v1.RoutingService/StreamRouteDecisions",
    "/pointsman.v1.RoutingService/DescribeRouting",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    "/grpc.channelz.v1.Channelz/GetServers",
]  # fmt: skip
BOMB = gzip.compress(bytes(64 * 1024 * 1024), compresslevel=9)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize("path", EVERY_METHOD)
async def test_a_compressed_message_is_refused_before_it_is_unpacked(
    start: Starter, path: str, encoding: str
) -> None:
    peer = await start()
    before = resident_megabytes()
    async with RawConnection(peer.running.admin_port or 0) as connection:
        connection.greet()
        await connection.frame(SETTINGS)
        block = frames.block(("grpc-encoding", encoding), path=path)
        body = b"\1" + struct.pack(">I", len(BOMB)) + BOMB
        connection.send(frames.frame(frames.HEADERS, block, flags=frames.END_HEADERS, stream=1))
        for at in range(0, len(body), 16_384):
            last = at + 16_384 >= len(body)
            part = body[at : at + 16_384]
            flags = frames.END_STREAM if last else 0
            connection.send(frames.frame(frames.DATA, part, flags=flags, stream=1))
        trailers = await connection.frame(frames.HEADERS)
    assert b"grpc-status\x0212" in trailers  # UNIMPLEMENTED
    assert resident_megabytes() - before < 40


def resident_megabytes() -> float:
    [line] = [x for x in Path("/proc/self/status").read_text().splitlines() if "VmRSS" in x]
    return int(line.split()[1]) / 1_024


async def test_a_client_that_compresses_is_told_so(start: Starter) -> None:
    peer = await start()
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await peer.decide(request(), compression=grpc.Compression.Gzip)
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
