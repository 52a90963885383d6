"""As much of HTTP/2 (RFC 9113) as it takes to be a bad client."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from types import TracebackType
from typing import Self

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, PING, GOAWAY = 4, 6, 7
ACK = 1
ENHANCE_YOUR_CALM = 11
MAX_CONCURRENT_STREAMS = 3
"""A setting (RFC 9113, 6.5.2)."""


def frame(kind: int, payload: bytes = b"", *, flags: int = 0) -> bytes:
    """A frame of the connection (stream 0)."""
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + bytes(4) + payload


class RawConnection:
    """A connection whose owner sends what it likes."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    def greet(self) -> None:
        """What every client says first."""
        self.send(PREFACE + frame(SETTINGS))

    def send(self, sent: bytes) -> None:
        self._writer.write(sent)

    async def ended(self) -> None:
        """Wait until the server hangs up."""
        try:
            while await self._reader.read(65_536):
                pass
        except ConnectionResetError:
            return

    async def frame(self, wanted: int) -> bytes:
        """The payload of the next frame of a kind; `IncompleteReadError` if there is none."""
        while True:
            head = await self._reader.readexactly(9)
            payload = await self._reader.readexactly(int.from_bytes(head[:3]))
            kind, flags = head[3], head[4]
            if kind == SETTINGS and not flags & ACK:
                self.send(frame(SETTINGS, flags=ACK))
            if kind == PING and not flags & ACK and wanted != PING:
                self.send(frame(PING, payload, flags=ACK))
            if kind == wanted:
                return payload

    async def goodbye(self) -> tuple[int, str]:
        """Why the server asks to leave: code and text of its GOAWAY."""
        payload = await self.frame(GOAWAY)
        return int.from_bytes(payload[4:8]), payload[8:].decode()
