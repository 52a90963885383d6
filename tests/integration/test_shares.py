"""Shares of places and connections: one peer keeps nobody else out."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import sys
from collections.abc import AsyncIterator

import grpc
import pytest
from chaos.parts import frames
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pointsman.v1 import route_decision_pb2 as pb
from pointsman_client import RoutingClient
from support.eventually import eventually
from support.http2 import (
    SETTINGS,
    RawConnection,
)
from support.served import FRONTIER, Peer, Starter, request
from support.unsent_requests import CHECK, promises


@contextlib.asynccontextmanager
async def streams(path: str, count: int, port: int) -> AsyncIterator[None]:
    """`count` calls over four connections that say nothing after their first message."""
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(4):
            connection = await stack.enter_async_context(RawConnection(port))
            connection.greet()
            await connection.frame(SETTINGS)
            for number in range(count // 4):
                opened = frames.frame(
                    frames.HEADERS, frames.block(path=path), flags=frames.END_HEADERS,
                    stream=2 * number + 1,
                )  # fmt: skip
                empty = frames.frame(frames.DATA, bytes(5), stream=2 * number + 1)
                connection.send(opened + empty)
        yield


async def test_idle_streams_of_a_few_connections_leave_places_to_everybody_else(
    start: Starter,
) -> None:
    peer = await start(max_open_calls=1_000)
    path = "/pointsman.v1.RoutingService/StreamRouteDecisions"
    async with streams(path, 1_000, peer.running.port):
        await eventually(lambda: shed(peer) > 0)
        answers = await asyncio.gather(*(peer.decide(request(), timeout=30) for _ in range(16)))
        assert {a.outcome for a in answers} == {pb.OUTCOME_ROUTED}
        async with (
            RoutingClient(f"127.0.0.1:{peer.running.port}", timeout=20, transport="stream") as own,
            asyncio.timeout(30),
        ):
            found = await own.route(
                "Guard this accessor.", user_id="u", tier="kilo-auto/frontier", candidates=FRONTIER
            )
            assert found.outcome == "routed"


async def test_watchers_of_a_few_connections_keep_no_probe_out(start: Starter) -> None:
    peer = await start(max_connections=256)
    async with streams("/grpc.health.v1.Health/Watch", 256, peer.running.port):
        await eventually(lambda: shed(peer) > 0)
        health = health_pb2_grpc.HealthStub(peer.channel)
        asked = health_pb2.HealthCheckRequest()
        for _ in range(20):
            answer = await health.Check(asked, timeout=10)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        watch = health.Watch(asked, timeout=10)
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        watch.cancel()


def shed(peer: Peer) -> int:
    readings = peer.running.telemetry.metrics.collect()
    [found] = [r for r in readings if r.instrument.name == "pointsman.shed"]
    return sum(int(point.value) for point in found.points)


async def test_unary_calls_whose_request_is_overdue_give_their_places_up(
    start: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pointsman_server.transport.admission.REQUEST_SECONDS", 0.05)
    peer = await start(max_open_calls=3)
    async with promises("/pointsman.v1.RoutingService/RouteDecision", 3, peer.running.port):
        await asyncio.sleep(0.2)
        assert (await peer.decide(request())).outcome == pb.OUTCOME_ROUTED


async def test_a_check_whose_request_does_not_come_ends_soon(start: Starter) -> None:
    peer = await start()
    async with RawConnection(peer.running.port) as connection:
        connection.greet()
        await connection.frame(SETTINGS)
        opened = frames.block(path=CHECK)
        connection.send(frames.frame(frames.HEADERS, opened, flags=frames.END_HEADERS, stream=1))
        # A message of a gigabyte, of which the first half-kilobyte comes.
        part = b"\0" + struct.pack(">I", 2**30) + bytes(512)
        connection.send(frames.frame(frames.DATA, part, stream=1))
        async with asyncio.timeout(5):
            assert b"grpc-status\x014" in await connection.frame(frames.HEADERS)


@pytest.mark.parametrize("service", ["", "pointsman.v1.RoutingService"])
async def test_every_watcher_hears_at_once_that_the_service_drains(
    start: Starter, service: str
) -> None:
    peer = await start(drain=2)
    asked = health_pb2.HealthCheckRequest(service=service)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{peer.running.port}") as other:
        stays = health_pb2_grpc.HealthStub(peer.channel).Watch(asked, timeout=60)
        leaves = health_pb2_grpc.HealthStub(other).Watch(asked, timeout=60)
        for watch in (stays, leaves):
            assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        leaves.cancel()
        await asyncio.sleep(0.05)
        stopping = asyncio.create_task(peer.stop())
        assert (await stays.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert not stopping.done()  # it drains: the watcher heard of it before the end
        stays.cancel()
        await stopping


async def test_health_knows_what_is_served_here(start: Starter) -> None:
    health = health_pb2_grpc.HealthStub((await start()).channel)
    with pytest.raises(grpc.aio.AioRpcError) as unknown:
        await health.Check(health_pb2.HealthCheckRequest(service="other"), timeout=10)
    assert unknown.value.code() is grpc.StatusCode.NOT_FOUND
    watch = health.Watch(health_pb2.HealthCheckRequest(service="other"), timeout=10)
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    watch.cancel()


async def test_connections_that_fill_the_first_address_leave_the_admin_address_to_probes(
    start: Starter,
) -> None:
    peer = await start(max_connections=4)
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(8):
            connection = await stack.enter_async_context(RawConnection(peer.running.port))
            connection.greet()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{peer.running.admin_port}") as admin:
            health = health_pb2_grpc.HealthStub(admin)
            answer = await health.Check(health_pb2.HealthCheckRequest(), timeout=10)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not show their sockets")
async def test_one_address_leaves_connections_to_others(start: Starter) -> None:
    peer = await start(max_connections=10)
    port = peer.running.port
    hello = frames.PREFACE + frames.frame(frames.SETTINGS)
    with contextlib.ExitStack() as held:

        def connect(source: str) -> socket.socket:
            target = ("127.0.0.1", port)
            opened = socket.create_connection(target, timeout=10, source_address=(source, 0))
            held.enter_context(opened).sendall(hello)
            return opened

        def answered(opened: socket.socket) -> bool:
            with contextlib.suppress(OSError):
                return bool(opened.recv(1))
            return False

        for _ in range(10):
            connect("127.0.0.1")

        async def let_in() -> bool:
            return await asyncio.to_thread(answered, connect("127.0.0.2"))

        await eventually(let_in)
