"""An `httpx` transport over aiohttp's connection pool and its parser of responses.

httpx's stock transport loses a pool slot when a caller is cancelled at the wrong moment (httpcore
1.0, issue 1093), which deadlines cause all the time, and costs more than the rest of a call.
aiohttp's session, for its part, takes as long as all else that the transport does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final, NamedTuple, NoReturn

import aiohttp
import httpx
import yarl
from aiohttp.connector import Connection
from aiohttp.http import SERVER_SOFTWARE, HttpProcessingError, RawResponseMessage
from aiohttp.streams import StreamReader

from pointsman_server.engines.remote.connections import (
    Attempt,
    BoundedTcpConnector,
    BoundedUnixConnector,
    ResponseOutOfBounds,
    current_attempt,
)

_UNLIMITED: Final = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None)
_SCHEMES: Final = ("http", "https")
_OWN_FIELDS: Final = frozenset({b"host", b"user-agent", b"content-length", b"transfer-encoding"})
_AGENT: Final = SERVER_SOFTWARE.encode("ascii")
_ERRORS: Final = (aiohttp.ClientError, HttpProcessingError, OSError, ValueError)


class _Origin(NamedTuple):
    """The host and port of requests."""

    key: tuple[str, bytes]
    address: aiohttp.ClientRequest
    """A request as the connector wants it: it reads where to connect to."""
    fields: bytes
    """The first header fields."""


class KeptAliveTransport(httpx.AsyncBaseTransport):
    """HTTP/1.1 over a pool of at most `connections` keep-alive connections.

    TLS is verified against httpx's default authorities. No redirects, no cookies, no proxies from
    the environment; bodies arrive as sent, compressed or not. It has no time-outs and ignores a
    request's: the caller bounds the whole call, and cancelling it closes the connection.
    `unix_socket`: connect to this path instead of a URL's host. Raises httpx's errors. Build it
    inside a running loop.
    """

    def __init__(
        self, *, connections: int, connect_retries: int = 0, unix_socket: str | None = None
    ) -> None:
        self._connect_retries = connect_retries
        self._connector: aiohttp.BaseConnector
        if unix_socket is None:
            context = httpx.create_ssl_context()
            self._connector = BoundedTcpConnector(limit=connections, ssl=context)
        else:
            self._connector = BoundedUnixConnector(unix_socket, limit=connections)
        self._latest: _Origin | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the response, its body unread."""
        content = await request.aread()
        try:
            origin = self._origin(request.url)
            exchange = await self._connected(origin, _serialized(request, origin, content))
        except _ERRORS as error:
            _raise_as_httpx(error)
        head = exchange.head
        return httpx.Response(head.code, headers=head.raw_headers, stream=exchange, request=request)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._connector.close()

    def _origin(self, url: httpx.URL) -> _Origin:
        key, latest = (url.scheme, url.netloc), self._latest
        if latest is None or latest.key != key:
            if url.scheme not in _SCHEMES or not url.host:
                raise aiohttp.NonHttpUrlClientError(str(url))
            where = yarl.URL(str(url), encoded=True)
            address = aiohttp.ClientRequest("POST", where, loop=asyncio.get_running_loop())
            fields = b"Host: %b\r\nUser-Agent: %b\r\n" % (url.netloc, _AGENT)
            latest = self._latest = _Origin(key, address, fields)
        return latest

    async def _connected(self, origin: _Origin, sent: bytes) -> _Exchange:
        for _ in range(self._connect_retries):
            with suppress(aiohttp.ClientConnectorError):
                return await self._sent(origin, sent)
        return await self._sent(origin, sent)

    async def _sent(self, origin: _Origin, sent: bytes) -> _Exchange:
        """Send; once more on a new connection if a reused one turns out to be closed.

        A server may close an idle connection at any time, also as it is reused. Then nothing was
        answered, and repeating a request for a decision is safe (RFC 9110, 9.2.2).
        """
        attempt = Attempt()
        current_attempt.set(attempt)
        try:
            return await self._sent_once(origin, sent)
        except (aiohttp.ServerDisconnectedError, OSError):
            if not attempt.reused:
                raise
        current_attempt.set(Attempt(fresh=True))
        return await self._sent_once(origin, sent)

    async def _sent_once(self, origin: _Origin, sent: bytes) -> _Exchange:
        """Send on a connection of the pool, and return when the response's head is there."""
        connection = await self._connector.connect(origin.address, [], _UNLIMITED)
        try:
            return await _exchanged(connection, sent)
        except BaseException:
            connection.close()
            raise


class _Exchange(httpx.AsyncByteStream):
    """A response on its connection; its body as it arrives."""

    def __init__(
        self, connection: Connection, head: RawResponseMessage, body: StreamReader
    ) -> None:
        self.head = head
        self._connection = connection
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            while chunk := await self._body.readany():
                yield chunk
        except _ERRORS as error:
            _raise_as_httpx(error)

    async def aclose(self) -> None:
        """Return the connection to the pool if the body was complete, else close it."""
        self._connection.release()


async def _exchanged(connection: Connection, sent: bytes) -> _Exchange:
    protocol, transport = connection.protocol, connection.transport
    if protocol is None or transport is None:
        raise aiohttp.ServerDisconnectedError
    protocol.set_response_params(read_until_eof=True, auto_decompress=False)
    transport.write(sent)
    head, body = await protocol.read()
    return _Exchange(connection, head, body)


def _serialized(request: httpx.Request, origin: _Origin, content: bytes) -> bytes:
    """The request as it is sent. Raises `ValueError` for a header that is several lines."""
    fields = [
        b"%b: %b\r\n" % field
        for field in request.headers.raw
        if field[0].lower() not in _OWN_FIELDS
    ]
    given = b"".join(fields)
    if not given.count(b"\r") == given.count(b"\n") == len(fields):
        raise ValueError("a header has a line break")
    start = b"%b %b HTTP/1.1\r\n" % (request.method.encode("ascii"), request.url.raw_path)
    return b"%b%b%bContent-Length: %d\r\n\r\n%b" % (
        start,
        origin.fields,
        given,
        len(content),
        content,
    )


def _raise_as_httpx(error: Exception) -> NoReturn:
    """Raise httpx's error for one of aiohttp's, without its text, which quotes addresses."""
    match error:
        case ResponseOutOfBounds():
            raise httpx.DecodingError("no response within the bounds") from None
        case aiohttp.ClientConnectorError():
            raise httpx.ConnectError("no connection") from None
        case aiohttp.ClientPayloadError() | aiohttp.ClientConnectionError() | OSError():
            raise httpx.ReadError("the connection broke") from None
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError() | ValueError():
            raise httpx.UnsupportedProtocol("not an HTTP address") from None
        case _:
            raise httpx.RemoteProtocolError("not an HTTP/1.1 response") from None
