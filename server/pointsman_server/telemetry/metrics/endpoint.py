"""`GET /metrics` over plain HTTP, on the event loop.

A web framework would be the heavier part of the two; this answers one request per connection.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

logger = logging.getLogger(__name__)

PATH = "/metrics"
HEAD_BYTES = 8_192
"""The longest request head that is read."""
HEAD_TIMEOUT = 2.0
"""Seconds for a client to send its request's head."""
TIMEOUT = 10.0
"""Seconds for a client to send its request and to take the answer."""
CONNECTIONS = 32
"""Open at once. Where one more comes, the oldest that has sent no request is closed for it."""


class MetricsEndpoint:
    """An HTTP server whose only page is the result of `page`."""

    def __init__(self, page: Callable[[], Awaitable[bytes]], *, content_type: str) -> None:
        self.page = page
        self.content_type = content_type
        self._server: asyncio.Server | None = None
        self._silent: dict[asyncio.Task[None], None] = {}
        """Connections that have sent no whole head, oldest first."""
        self._answered: dict[asyncio.Task[None], None] = {}

    async def start(self, host: str, port: int) -> int:
        """Listen; port 0 picks a free one. Returns the port. Raises `OSError`."""
        self._server = await asyncio.start_server(self._accept, host, port, limit=HEAD_BYTES)
        bound: int = self._server.sockets[0].getsockname()[1]
        logger.info("metrics are served", extra={"host": host, "port": bound, "path": PATH})
        return bound

    async def aclose(self) -> None:
        """Stop listening and close open connections."""
        if self._server is None:
            return
        self._server.close()
        tasks = [*self._silent, *self._answered]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            return
        self._make_room()
        self._silent[task] = None
        try:
            async with asyncio.timeout(TIMEOUT):
                await self._answer(task, reader, writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            # A scraper that went away; the next one comes.
            logger.debug("a scrape broke off")
        except asyncio.CancelledError:
            # Closed at the end, or to make room: nothing is left to do.
            logger.debug("a scrape was cut off")
        finally:
            self._silent.pop(task, None)
            self._answered.pop(task, None)
            writer.transport.abort()

    def _make_room(self) -> None:
        """Close the oldest connection where all places are taken, a silent one if there is any."""
        if len(self._silent) + len(self._answered) < CONNECTIONS:
            return
        among = self._silent or self._answered
        oldest = next(iter(among))
        del among[oldest]
        oldest.cancel()

    async def _answer(
        self, task: asyncio.Task[None], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            async with asyncio.timeout(HEAD_TIMEOUT):
                head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            writer.write(_response("431 Request Header Fields Too Large"))
        else:
            self._silent.pop(task, None)
            self._answered[task] = None
            writer.write(await self._respond(head.split(b"\r\n", 1)[0].decode("latin-1")))
        await writer.drain()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def _respond(self, request_line: str) -> bytes:
        parts = request_line.split(" ")
        if len(parts) != 3 or not parts[2].startswith("HTTP/1."):  # noqa: PLR2004 - RFC 9112, 3
            return _response("400 Bad Request")
        method, target, _ = parts
        if target.partition("?")[0] != PATH:
            return _response("404 Not Found")
        if method not in ("GET", "HEAD"):
            return _response("405 Method Not Allowed", "Allow: GET, HEAD")
        body = await self.page()
        response = _response("200 OK", f"Content-Type: {self.content_type}", body=body)
        return response if method == "GET" else response[: -len(body)]


def _response(status: str, *headers: str, body: bytes = b"") -> bytes:
    lines = (
        f"HTTP/1.1 {status}",
        *headers,
        f"Content-Length: {len(body)}",
        "Connection: close",
        "\r\n",
    )
    return "\r\n".join(lines).encode("latin-1") + body
