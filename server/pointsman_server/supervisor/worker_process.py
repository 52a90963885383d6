"""Run one worker process and replace it when it dies."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from asyncio.subprocess import Process
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from pointsman_server.supervisor.protocol import (
    VARIABLE,
    WorkerAssignment,
    WorkerReady,
    dumped,
    report_of,
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pauses:
    """Seconds before a dead worker is replaced: doubled by each death, up to a bound."""

    shortest: float = 0.1
    longest: float = 10.0
    steady: float = 10.0
    """Seconds of service after which the delay is reset."""


class WorkerProcess:
    """Keeps one worker running until `stop`."""

    def __init__(
        self,
        duty: WorkerAssignment,
        *,
        command: Sequence[str],
        pauses: Pauses,
        stopping: asyncio.Event,
        on_failed_start: Callable[[int], None],
    ) -> None:
        self._duty = duty
        self._command = tuple(command)
        self._pauses = pauses
        self._stopping = stopping
        self._on_failed_start = on_failed_start
        self._process: Process | None = None
        self.serving = False
        self.first: asyncio.Future[WorkerReady | None] = asyncio.get_running_loop().create_future()
        """The first worker's report; `None` where it ended without."""

    async def keep(self) -> None:
        """Start a worker, wait for its end, start another."""
        pause = self._pauses.shortest
        while not self._stopping.is_set():
            lived = await self._one_life()
            if self._stopping.is_set():
                return
            pause = self._pauses.shortest if lived >= self._pauses.steady else pause
            _log.warning("worker %d: another one starts in %.1f s", self._duty.index, pause)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
            pause = min(2 * pause, self._pauses.longest)

    def send(self, number: signal.Signals) -> None:
        """Pass a signal on to the worker, if there is one."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    def reload(self) -> None:
        """Tell a worker that serves; one that starts reads the files anyway."""
        if self.serving:
            self.send(signal.SIGHUP)

    async def _one_life(self) -> float:
        """From a worker's start to its end; returns the seconds for which it served."""
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        ours.sendall(dumped(self._duty))
        try:
            with theirs:
                self._process = process = await self._spawn(theirs)
        except OSError as error:
            ours.close()
            _log.error("worker %d: no process: %s", self._duty.index, error.strerror)
            self._ended(1, reported=False)
            return 0.0
        reader, writer = await asyncio.open_connection(sock=ours)
        try:
            if self._stopping.is_set():
                self.send(signal.SIGTERM)
            report = await _report(reader)
            began = loop.time()
            if report is not None:
                self._serves(process, report)
            status = await process.wait()
        finally:
            self.serving = False
            writer.close()
        self._ended(status, reported=report is not None)
        return loop.time() - began if report is not None else 0.0

    async def _spawn(self, line: socket.socket) -> Process:
        return await asyncio.create_subprocess_exec(
            *self._command,
            env=os.environ | {VARIABLE: str(line.fileno())},
            pass_fds=(line.fileno(),),
            # A separate group: the supervisor passes on a terminal's Ctrl-C.
            process_group=0,
        )

    def _serves(self, process: Process, report: WorkerReady) -> None:
        self.serving = True
        own = (("admin", report.admin_port), ("metrics", report.metrics_port))
        ports = "".join(f", {name} on port {port}" for name, port in own if port)
        _log.info("worker %d serves: pid %d%s", self._duty.index, process.pid, ports)
        if not self.first.done():
            self.first.set_result(report)

    def _ended(self, status: int, *, reported: bool) -> None:
        if not self.first.done():
            self.first.set_result(None)
        if not self._stopping.is_set():
            _log.error("worker %d ended: %s", self._duty.index, _manner(status))
            if not reported:
                self._on_failed_start(exit_status(status))


def exit_status(returncode: int) -> int:
    """A process's end as a shell reports it: 128 and more for a signal."""
    return returncode if returncode >= 0 else 128 - returncode


async def _report(reader: asyncio.StreamReader) -> WorkerReady | None:
    """The worker's report; `None` if the worker ends first."""
    with suppress(ConnectionError):
        if line := await reader.readline():
            return report_of(line)
    return None


def _manner(status: int) -> str:
    return f"exit status {status}" if status >= 0 else signal.Signals(-status).name
