"""The Python client over a stream and in batches, while real servers come, stop and break."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from typing import Any, Self

import pytest
from pointsman_client import RoutingClient
from support.counted import in_flight
from support.eventually import eventually
from support.served import FRONTIER, Peer, Starter

ASK: dict[str, Any] = {
    "user_id": "user-1",
    "tier": "kilo-auto/frontier",
    "candidates": FRONTIER,
    "static_pick": FRONTIER[0],
}
TRANSPORTS = ["stream", "batch"]


def client_of(peer: Peer, transport: str, **settings: Any) -> RoutingClient:
    settings = {"decide_timeout": 60, "options": {"grpc.max_reconnect_backoff_ms": 100}} | settings
    return RoutingClient(f"127.0.0.1:{peer.running.port}", transport=transport, **settings)


async def whys(client: RoutingClient, count: int) -> Counter[str]:
    asked = (
        client.decide("Sort this list of names.", session_id=f"s{n % 64}", **ASK)
        for n in range(count)
    )
    return Counter([choice.why for choice in await asyncio.gather(*asked)])


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_4000_decisions_at_once_lose_none(start: Starter, transport: str) -> None:
    peer = await start()
    async with client_of(peer, transport) as client:
        assert await whys(client, 4_000) == {"shadow": 4_000}


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_server_that_restarts_is_found_again(start: Starter, transport: str) -> None:
    peer = await start()
    async with client_of(peer, transport) as client:
        assert await whys(client, 8) == {"shadow": 8}
        await peer.stop()
        assert await whys(client, 8) == {"fallback:unavailable": 8}
        await start(listen=f"127.0.0.1:{peer.running.port}")

        async def answers() -> bool:
            return (await client.decide("Sort this list of names.", **ASK)).fallback is None

        await eventually(answers)
        assert await whys(client, 8) == {"shadow": 8}


async def test_a_stream_that_reaches_its_age_loses_no_decision(start: Starter) -> None:
    peer = await start(stream_max_age=0.02)
    async with client_of(peer, "stream", retries=0) as client:
        for _ in range(20):
            assert await whys(client, 50) == {"shadow": 50}


async def test_a_server_that_stops_in_mid_stream_loses_no_decision(start: Starter) -> None:
    """Each is answered by the old server, or by the one that takes its place."""
    peer = await start(grace=30)
    async with client_of(peer, "stream", retries=100) as client:
        first = asyncio.create_task(whys(client, 3_000))
        metrics = peer.running.telemetry.metrics
        await eventually(lambda: sum(n for _, n in metrics._decisions) > 100)
        await peer.stop()
        await start(listen=f"127.0.0.1:{peer.running.port}")
        assert await first == {"shadow": 3_000}


async def test_a_connection_that_is_cut_loses_no_decision(start: Starter) -> None:
    peer = await start()
    async with Relay(peer.running.port) as relay:
        target = f"127.0.0.1:{relay.port}"
        options = {"grpc.max_reconnect_backoff_ms": 100}
        async with RoutingClient(
            target, transport="stream", decide_timeout=60, retries=100, options=options
        ) as client:
            await client.decide("Sort this list of names.", **ASK)
            first = asyncio.create_task(whys(client, 3_000))
            metrics = peer.running.telemetry.metrics
            await eventually(lambda: sum(n for _, n in metrics._decisions) > 100)
            relay.cut()
            assert await first == {"shadow": 3_000}
            assert relay.connections > 1


async def test_a_closed_client_leaves_nothing_behind_on_the_server(start: Starter) -> None:
    peer = await start(grace=300)
    decider: Any = peer.running.runtime.service().decider
    inside = asyncio.Event()

    async def never(*_: Any, **__: Any) -> Any:
        inside.set()
        await asyncio.Event().wait()

    decider.decide = never
    async with client_of(peer, "stream") as client:
        asking = asyncio.create_task(client.decide("Sort this list of names.", **ASK))
        await inside.wait()
    assert (await asking).why == "fallback:closed"
    await eventually(lambda: in_flight(peer.running.telemetry.metrics) == 0)


class Relay:
    """A TCP relay whose connections can be cut."""

    def __init__(self, port: int) -> None:
        self._upstream = port
        self._writers: list[asyncio.StreamWriter] = []
        self.connections = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._upstream)
        self._writers += [writer, up_writer]
        with contextlib.suppress(ConnectionError):
            await asyncio.gather(_pump(reader, up_writer), _pump(up_reader, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()
