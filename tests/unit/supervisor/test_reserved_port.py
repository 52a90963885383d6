"""The port that workers share: held without a listener, and never somebody else's."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable

import pytest
from pointsman_server.supervisor.reserved_port import reserve


def listening(port: int) -> socket.socket:
    """A worker's socket, with the options that gRPC sets."""
    worker = socket.socket()
    worker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    worker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    worker.bind(("127.0.0.1", port))
    worker.listen()
    return worker


def test_a_reserved_port_gets_no_connection_that_a_worker_should_have() -> None:
    with reserve("127.0.0.1", 0) as reserved:
        port = reserved.getsockname()[1]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        with listening(port) as worker:
            worker.settimeout(10)
            for _ in range(50):
                with socket.create_connection(("127.0.0.1", port), timeout=10):
                    worker.accept()[0].close()


def test_several_workers_listen_on_a_reserved_port() -> None:
    with reserve("127.0.0.1", 0) as reserved:
        port = reserved.getsockname()[1]
        with listening(port), listening(port):
            pass


@pytest.mark.parametrize("taken", ["by a server", "by workers", "by a supervisor"])
def test_a_port_that_somebody_has_is_not_shared_by_accident(taken: str) -> None:
    with reserve("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
    if taken == "by a supervisor":
        holder = reserve("127.0.0.1", port)
    elif taken == "by workers":
        holder = listening(port)
    else:
        holder = socket.create_server(("127.0.0.1", port))
    with holder, pytest.raises(OSError, match="in use") as error:
        reserve("127.0.0.1", port)
    assert error.value.errno == errno.EADDRINUSE


def alone(port: int) -> socket.socket:
    """The socket of a service without workers, with the option that gRPC sets."""
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", port))
    server.listen()
    return server


@pytest.mark.parametrize("former", [listening, alone], ids=["with workers", "without"])
def test_a_port_is_free_again_at_once_after_a_service_that_had_connections(
    former: Callable[[int], socket.socket],
) -> None:
    with former(0) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            server.accept()[0].close()  # this side closes first: TIME_WAIT stays
    with reserve("127.0.0.1", port), listening(port), pytest.raises(OSError, match="in use"):
        reserve("127.0.0.1", port)
