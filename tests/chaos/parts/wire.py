"""A wire to a server that can be cut, or go dead, while it is in use."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from types import TracebackType
from typing import Self

_CHUNK = 65_536


class Wire:
    """Listens on `port` and passes on to `target`; `cut` refuses, `deaden` lets everybody wait."""

    def __init__(self, port: int, target: int, *, tls: ssl.SSLContext | None = None) -> None:
        self._port = port
        self._target = target
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None]] = set()
        self._dead = False
        self.accepted = 0
        """Connections so far."""

    async def __aenter__(self) -> Self:
        await self.mend()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.cut()

    async def cut(self) -> None:
        """End all connections and refuse further ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for talk in tuple(self._talks):
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    async def mend(self, *, tls: ssl.SSLContext | None = None) -> None:
        """Listen again, with `tls` from now on where it is given."""
        self._dead = False
        self._tls = tls or self._tls
        self._server = await asyncio.start_server(
            self._accept, "127.0.0.1", self._port, ssl=self._tls
        )

    async def deaden(self) -> None:
        """End all connections; further ones are accepted and never served."""
        await self.cut()
        await self.mend()
        self._dead = True

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.accepted += 1
        self._talks.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.CancelledError):
                if self._dead:
                    await asyncio.Event().wait()
                await self._pass(reader, writer)
        finally:
            self._talks.discard(task)
            writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_copy(reader, back))
                both.create_task(_copy(there, writer))
        except* OSError:
            pass
        finally:
            back.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(_CHUNK):
        writer.write(chunk)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
