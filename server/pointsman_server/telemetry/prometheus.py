"""`GET /metrics` over plain HTTP, on the event loop: a scrape takes a millisecond.

A web framework would be the heavier part of the two; this answers one request per connection.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

logger = logging.getLogger(__name__)

PATH = "/metrics"
HEAD_BYTES = 8_192
"""The longest request head that is read."""
TIMEOUT = 5.0
"""Seconds for a client to send its request and to take the answer."""
CONNECTIONS = 32
"""At once; scrapers need one each."""


class PrometheusEndpoint:
    """An HTTP server whose only page is what `page` returns."""

    def __init__(self, page: Callable[[], str], *, content_type: str) -> None:
        self._page = page
        self._content_type = content_type
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def start(self, host: str, port: int) -> int:
        """Listen; port 0 picks a free one. Returns the port. Raises `OSError`."""
        self._server = await asyncio.start_server(self._accept, host, port, limit=HEAD_BYTES)
        bound: int = self._server.sockets[0].getsockname()[1]
        logger.info("metrics are served", extra={"host": host, "port": bound, "path": PATH})
        return bound

    async def aclose(self) -> None:
        """Stop listening and let go of open connections."""
        if self._server is None:
            return
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._open) >= CONNECTIONS:
            writer.transport.abort()
            return
        self._open.add(task)
        try:
            async with asyncio.timeout(TIMEOUT):
                await self._answer(reader, writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            # A scraper that went away; the next one comes.
            logger.debug("a scrape broke off")
        finally:
            self._open.discard(task)
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            writer.write(_response("431 Request Header Fields Too Large"))
        else:
            writer.write(self._respond(head.split(b"\r\n", 1)[0].decode("latin-1")))
        await writer.drain()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    def _respond(self, request_line: str) -> bytes:
        parts = request_line.split(" ")
        if len(parts) != 3 or not parts[2].startswith("HTTP/1."):  # noqa: PLR2004 - RFC 9112, 3
            return _response("400 Bad Request")
        method, target, _ = parts
        if target.partition("?")[0] != PATH:
            return _response("404 Not Found")
        if method not in ("GET", "HEAD"):
            return _response("405 Method Not Allowed", "Allow: GET, HEAD")
        body = self._page().encode()
        response = _response("200 OK", f"Content-Type: {self._content_type}", body=body)
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
