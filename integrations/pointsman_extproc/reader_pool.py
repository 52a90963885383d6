"""Reads bodies without holding up other requests: short ones here, long ones in processes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import pickle
import subprocess
import sys
from collections.abc import Coroutine
from typing import IO, Any, TypeVar

from pointsman_extproc.body import Body
from pointsman_extproc.reader_process import HEAD
from pointsman_extproc.reading import Question, Reading, read

Answer = TypeVar("Answer")

_PAUSE = 1.0
_log = logging.getLogger(__name__)

HERE = 32 * 1024
"""Bytes of a body that is read in the event loop: at worst some milliseconds."""


class ReadingTimeout(Exception):  # it is caught by name, as asyncio's is
    """No process could read the body in time."""


class ReaderPool:
    """A fixed number of reader processes; each reads one body at a time.

    They start with `start`, or with the first long body. One that takes too long is ended, and
    another takes its place. `aclose` ends them all.
    """

    def __init__(self, *, processes: int = 2) -> None:
        if processes < 1:
            raise ValueError("processes must be at least 1")
        self._processes = processes
        self._idle: asyncio.LifoQueue[_Reader] = asyncio.LifoQueue()
        self._readers: list[_Reader] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    def start(self) -> None:
        """Start the processes without waiting for them."""
        while len(self._readers) < self._processes:
            reader = _Reader()
            self._readers.append(reader)
            self._run(self._ready(reader))

    async def ready(self, *, within: float) -> None:
        """Start the processes and wait for one of them, `within` seconds at most."""
        self.start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                self._idle.put_nowait(await self._idle.get())

    async def read(self, raw: Body, question: Question, *, within: float) -> Reading | None:
        """Read one body; `ReadingTimeout` after `within` seconds, waiting included."""
        if len(raw) <= HERE:
            return read(bytes(raw), question)
        self.start()
        try:
            async with asyncio.timeout(within):
                reader = await self._idle.get()
                answer = self._run(self._ask(reader, raw, question))
                try:
                    # The reader is busy until its answer, even if this task is cancelled.
                    return await asyncio.shield(answer)
                except asyncio.CancelledError:
                    reader.kill()
                    raise
        except (TimeoutError, OSError, EOFError, pickle.UnpicklingError):
            raise ReadingTimeout from None

    async def aclose(self) -> None:
        """End the processes."""
        self._closed = True
        for reader in self._readers:
            reader.kill()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for reader in self._readers:
            await asyncio.to_thread(reader.close)

    async def _ask(self, reader: _Reader, raw: Body, question: Question) -> Reading | None:
        try:
            return await asyncio.to_thread(reader.ask, raw, question)
        finally:
            if not self._closed:
                self._run(self._ready(reader))

    async def _ready(self, reader: _Reader) -> None:
        """Start the reader's process where it has none, and let it be used."""
        while not self._closed:
            try:
                await asyncio.to_thread(reader.start)
            except (OSError, EOFError) as error:
                if not self._closed:
                    _log.error(
                        "reader process cannot start: %s: trying again", type(error).__name__
                    )
                    await asyncio.sleep(_PAUSE)
                continue
            self._idle.put_nowait(reader)
            return

    def _run(self, work: Coroutine[object, object, Answer]) -> asyncio.Task[Answer]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # a waiting task has seen it; there may be none


class _Reader:
    """One process. Its methods block, but `kill`, which ends the wait of another thread."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._killed = False

    def start(self) -> None:
        """Start the process where there is none, and wait until it reads."""
        if self._process is not None and self._process.poll() is None and not self._killed:
            return
        self.close()
        command = [sys.executable, "-m", "pointsman_extproc.reader_process"]
        process = subprocess.Popen(  # noqa: S603  # this interpreter and this package
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        self._process = process
        self._killed = False
        _answer(process.stdout)

    def ask(self, raw: Body, question: Question) -> Reading | None:
        """Have one body read; `OSError` or `EOFError` if the process ends."""
        process = self._process
        if process is None or process.stdin is None:
            raise EOFError
        asked = pickle.dumps(question)
        process.stdin.write(HEAD.pack(len(asked), len(raw)) + asked)
        process.stdin.write(raw)
        process.stdin.flush()
        reading = _answer(process.stdout)
        return reading if isinstance(reading, Reading) else None

    def kill(self) -> None:
        """Kill the process without waiting; a thread that waits for its answer gets an error."""
        self._killed = True
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        """Kill the process, wait for its end and close its pipes."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # bytes that were not written yet
                    pipe.close()


def _answer(source: IO[bytes] | None) -> object:
    """Take one answer from a process."""
    head = source.read(HEAD.size) if source is not None else b""
    if source is None or len(head) < HEAD.size:
        raise EOFError
    return pickle.loads(source.read(HEAD.unpack(head)[0]))  # noqa: S301  # our own process
