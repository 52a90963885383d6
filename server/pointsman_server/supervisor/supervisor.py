"""Starts the workers, replaces those that die, passes signals on, ends when all have ended."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Sequence

from pointsman_server.supervisor.protocol import WorkerAssignment, WorkerReady
from pointsman_server.supervisor.worker_process import Pauses, WorkerProcess

FAILED_STARTS = 5
"""In a row, while nobody serves: then there is no point in another."""
KEY_BYTES = 32

_log = logging.getLogger(__name__)


class Supervisor:
    """One per service. The first worker starts alone, so that a startup error appears once."""

    def __init__(
        self,
        *,
        workers: int,
        port: int,
        command: Sequence[str],
        stop_within: float,
        pauses: Pauses | None = None,
    ) -> None:
        self._stop_within = stop_within
        self._stopping = asyncio.Event()
        self._failed_starts = 0
        self._started = False
        self._status = 0
        key = os.urandom(KEY_BYTES).hex()
        self.posts = [
            WorkerProcess(
                WorkerAssignment(index=index, port=port, hash_key=key),
                command=command,
                pauses=pauses or Pauses(),
                stopping=self._stopping,
                on_failed_start=self._failed_start,
            )
            for index in range(workers)
        ]

    async def run(self, *, say: Callable[[str], None]) -> int:
        """Serve until `stop`; returns the exit status. `say` gets the start line, once.

        The status is 0 after a clean stop, that of a worker that failed at startup,
        or 1 if workers had to be killed.
        """
        keeping: list[asyncio.Task[None]] = []
        report: WorkerReady | None = None
        for posts in (self.posts[:1], self.posts[1:]):
            keeping += [asyncio.create_task(post.keep()) for post in posts]
            reports = [await post.first for post in posts]
            if self._stopping.is_set():
                break
            report = report or reports[0]
        else:
            self._started = True
            if report is not None:
                say(f"{report.start_line} | workers {len(self.posts)}")
        await self._stopping.wait()
        await self._end(keeping)
        return self._status

    def stop(self) -> None:
        """Let every worker end its calls."""
        self._stopping.set()
        for post in self.posts:
            post.send(signal.SIGTERM)

    def reload(self) -> None:
        """Let every worker reload its policy file."""
        for post in self.posts:
            post.reload()

    def _failed_start(self, status: int) -> None:
        """Give up where a start fails, or where all of them do and nobody serves."""
        serving = any(post.serving for post in self.posts)
        self._failed_starts = 0 if serving else self._failed_starts + 1
        if not self._started or self._failed_starts >= FAILED_STARTS:
            _log.error("giving up: a worker does not start")
            self._status = status or 1
            self.stop()

    async def _end(self, keeping: Sequence[asyncio.Task[None]]) -> None:
        _, late = await asyncio.wait(keeping, timeout=self._stop_within)
        if late:
            _log.error("%d workers did not stop in time and are killed", len(late))
            self._status = self._status or 1
            for post in self.posts:
                post.send(signal.SIGKILL)
        await asyncio.gather(*keeping)
