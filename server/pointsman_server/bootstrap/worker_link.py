"""A worker's end of the line to its supervisor."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator, Mapping

from pointsman_server.supervisor.protocol import (
    VARIABLE,
    WorkerAssignment,
    WorkerReady,
    dumped,
    duty_of,
)


class SupervisorLink:
    """The assignment from the supervisor, and its liveness."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        with connection.makefile("rb") as lines:
            self.duty: WorkerAssignment = duty_of(lines.readline())

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> SupervisorLink | None:
        """The line of this process; `None` where it serves by itself."""
        descriptor = environment.get(VARIABLE)
        if descriptor is None:
            return None
        connection = socket.socket(fileno=int(descriptor))
        connection.set_inheritable(False)
        return cls(connection)

    def report(self, report: WorkerReady) -> None:
        """Say that calls are answered from now on."""
        with contextlib.suppress(BrokenPipeError):  # `watched` tells of that
            self._connection.sendall(dumped(report))

    @contextlib.contextmanager
    def watched(self, on_lost: Callable[[], None]) -> Iterator[None]:
        """Call `on_lost` when the supervisor is gone, however it went: nobody would stop us."""
        loop = asyncio.get_running_loop()

        def readable() -> None:
            if not self._connection.recv(1):
                loop.remove_reader(self._connection)
                on_lost()

        loop.add_reader(self._connection, readable)
        try:
            yield
        finally:
            loop.remove_reader(self._connection)
