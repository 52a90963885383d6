"""Connections of one address leave some for others."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import time
from collections.abc import Iterator

import pytest
from pointsman_server.transport.connection_shares import (
    INTERVAL,
    LEAST_INTERVAL,
    ConnectionShares,
    keep_shares,
    network_of,
)

LIMIT = 10
SHARE = 8
"""Of ten places a caller alone gets as many: four for each free one."""
HERE, ELSEWHERE = "127.0.0.1", "127.0.0.2"

linux = pytest.mark.skipif(
    sys.platform != "linux", reason="other systems do not show their sockets"
)


class Listening:
    """A port, and both ends of connections to it."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self._socket = stack.enter_context(socket.create_server((HERE, 0)))
        self.port: int = self._socket.getsockname()[1]

    def connect(self, source: str, count: int) -> list[socket.socket]:
        """Open connections and return the clients' ends."""
        clients = []
        for _ in range(count):
            target = (HERE, self.port)
            client = socket.create_connection(target, timeout=10, source_address=(source, 0))
            clients.append(self._stack.enter_context(client))
            self._stack.enter_context(self._socket.accept()[0])
        return clients


@pytest.fixture
def listening() -> Iterator[Listening]:
    with contextlib.ExitStack() as stack:
        yield Listening(stack)


def ended(clients: list[socket.socket]) -> int:
    """How many of them the server has closed."""
    found = 0
    for client in clients:
        client.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            found += client.recv(1) == b""
    return found


@linux
def test_only_accepted_connections_of_the_port_are_seen(listening: Listening) -> None:
    listening.connect(HERE, 2)
    listening.connect(ELSEWHERE, 1)
    assert sorted(
        each.peer for each in ConnectionShares(listening.port, limit=LIMIT).connections()
    ) == [HERE, HERE, ELSEWHERE]


@linux
def test_an_address_keeps_its_share(listening: Listening) -> None:
    clients = listening.connect(HERE, LIMIT)
    assert ConnectionShares(listening.port, limit=LIMIT).close_excess() == LIMIT - SHARE
    assert ended(clients) == LIMIT - SHARE


@linux
def test_other_addresses_keep_theirs(listening: Listening) -> None:
    listening.connect(HERE, SHARE)
    others = listening.connect(ELSEWHERE, 1)
    ConnectionShares(listening.port, limit=LIMIT).close_excess()
    assert ended(others) == 0


@linux
def test_nothing_is_closed_below_half_of_the_limit(listening: Listening) -> None:
    clients = listening.connect(HERE, LIMIT)
    assert ConnectionShares(listening.port, limit=10_000).close_excess() == 0
    assert ended(clients) == 0


@linux
def test_a_descriptor_that_another_connection_has_is_looked_at_again() -> None:
    with socket.create_server((HERE, 0)) as server:
        address = server.getsockname()
        shares = ConnectionShares(address[1], limit=LIMIT)
        seen = []
        for source in (HERE, ELSEWHERE):
            with (
                socket.create_connection(address, timeout=10, source_address=(source, 0)),
                server.accept()[0],
            ):
                seen += shares.connections()
    assert [each.peer for each in seen] == [HERE, ELSEWHERE]
    assert seen[0].descriptor == seen[1].descriptor


@linux
async def test_an_address_that_comes_again_without_a_pause_is_looked_at_more_often(
    listening: Listening, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) in {2, 3}:
            listening.connect(HERE, LIMIT - SHARE)
        if len(pauses) == 8:
            raise asyncio.CancelledError

    monkeypatch.setattr(asyncio, "sleep", sleep)
    listening.connect(HERE, SHARE)
    with pytest.raises(asyncio.CancelledError):
        await keep_shares(listening.port, limit=LIMIT)
    least = LEAST_INTERVAL
    assert pauses[:4] == [INTERVAL, INTERVAL, least, least]
    assert pauses[4:] == [2 * least, 4 * least, 8 * least, 16 * least]
    assert [record.getMessage() for record in caplog.records] == [
        "closed 2 connections of addresses that held more than a share"
    ]


@linux
async def test_looks_take_a_tenth_of_the_time_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    now = 0.0

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            raise asyncio.CancelledError

    def slow_look(_: ConnectionShares) -> int:
        nonlocal now
        now += 0.2
        return 1

    monkeypatch.setattr(asyncio, "sleep", sleep)
    monkeypatch.setattr(time, "monotonic", lambda: now)
    monkeypatch.setattr(ConnectionShares, "close_excess", slow_look)
    with pytest.raises(asyncio.CancelledError):
        await keep_shares(0, limit=LIMIT)
    assert pauses == [INTERVAL, pytest.approx(1.8), pytest.approx(1.8)]


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_an_ipv6_peer_has_a_network(address: str, network: str) -> None:
    assert network_of(address) == network
