"""Connections of one address leave some for others."""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Iterator

import pytest
from pointsman_server.transport.connection_shares import close_excess, connections, network_of

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
    assert sorted(each.peer for each in connections(listening.port)) == [HERE, HERE, ELSEWHERE]


@linux
def test_an_address_keeps_its_share(listening: Listening) -> None:
    clients = listening.connect(HERE, LIMIT)
    assert close_excess(listening.port, limit=LIMIT) == LIMIT - SHARE
    assert ended(clients) == LIMIT - SHARE


@linux
def test_other_addresses_keep_theirs(listening: Listening) -> None:
    listening.connect(HERE, SHARE)
    others = listening.connect(ELSEWHERE, 1)
    close_excess(listening.port, limit=LIMIT)
    assert ended(others) == 0


@linux
def test_nothing_is_closed_below_half_of_the_limit(listening: Listening) -> None:
    clients = listening.connect(HERE, LIMIT)
    assert close_excess(listening.port, limit=10_000) == 0
    assert ended(clients) == 0


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
