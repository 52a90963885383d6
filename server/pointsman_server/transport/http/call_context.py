"""Context of a call over HTTP, with the methods of gRPC's that the servicer uses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NoReturn

import grpc
from connectrpc.errors import ConnectError
from google.protobuf.message import Message

BUFFERED = 16
"""Responses of a stream that wait for a slow client before the servicer waits, too."""


class Aborted(Exception):
    """The servicer ended the call with a status."""

    def __init__(
        self, code: grpc.StatusCode, details: str, trailers: Iterable[tuple[str, str | bytes]]
    ) -> None:
        self.code = code
        self.details = details
        self.trailers = tuple(trailers)
        super().__init__(code, details)


class CallContext:
    """Stands for `grpc.aio.ServicerContext`.

    `seconds` is the time that the caller's deadline leaves; `peer` is the client's address, and
    `certificate` holds the names of its verified certificate.
    """

    def __init__(
        self,
        *,
        metadata: Sequence[tuple[str, str]],
        seconds: float | None,
        peer: str,
        certificate: Mapping[str, Sequence[bytes]],
    ) -> None:
        self._metadata = metadata
        self._loop = asyncio.get_running_loop()
        self._deadline = None if seconds is None else self._loop.time() + seconds
        self._peer = peer
        self._certificate = certificate

    def invocation_metadata(self) -> Sequence[tuple[str, str]]:
        """Return the request's headers, names in lower case."""
        return self._metadata

    def time_remaining(self) -> float | None:
        """Return the seconds until the caller's deadline; `None` without one."""
        return None if self._deadline is None else max(0.0, self._deadline - self._loop.time())

    def peer(self) -> str:
        """Return the client's address and port."""
        return self._peer

    def auth_context(self) -> Mapping[str, Sequence[bytes]]:
        """Return the names of the client's certificate, as gRPC names them."""
        return self._certificate

    async def abort(
        self,
        code: grpc.StatusCode,
        details: str = "",
        trailing_metadata: Iterable[tuple[str, str | bytes]] = (),
    ) -> NoReturn:
        """End the call: raises `Aborted`."""
        raise Aborted(code, details, trailing_metadata)


class StreamContext(CallContext):
    """Context of a bidirectional stream: reads messages as bytes, and buffers written ones."""

    def __init__(self, requests: AsyncIterator[Message], **call: Any) -> None:
        super().__init__(**call)
        self._requests = requests
        self.broken: ConnectError | None = None
        """The error that ended the reading of the client's messages."""
        self._written: asyncio.Queue[bytes | None] = asyncio.Queue(BUFFERED)

    async def read(self) -> Any:
        """Return the next message's bytes, or `grpc.aio.EOF`."""
        try:
            message = await anext(self._requests)
        except StopAsyncIteration:
            return grpc.aio.EOF
        except ConnectError as error:
            self.broken = error
            raise
        return message.SerializeToString()

    async def write(self, message: bytes) -> None:
        """Hand `message` to the client; waits while the client is slow."""
        await self._written.put(message)

    async def responses(self, serving: asyncio.Task[None]) -> AsyncIterator[bytes]:
        """Yield the messages that `serving` writes, until it ends. Raises its exceptions."""
        serving.add_done_callback(lambda _: self._end())
        try:
            while (message := await self._written.get()) is not None:
                yield message
            await serving
        finally:
            serving.cancel()
            with suppress(asyncio.CancelledError, Aborted):
                await serving

    def _end(self) -> None:
        # A full queue is read until it is empty; the marker follows then.
        try:
            self._written.put_nowait(None)
        except asyncio.QueueFull:
            self._loop.call_later(0.01, self._end)
