"""An `httpx` transport over aiohttp's connection pool.

httpx's stock transport loses a pool slot when a caller is cancelled at the wrong moment (httpcore
1.0, issue 1093), which deadlines cause all the time, and costs more than the rest of a call.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress

import aiohttp
import httpx
import yarl

from pointsman_server.engines.remote.connections import (
    Attempt,
    BoundedTcpConnector,
    BoundedUnixConnector,
    ResponseOutOfBounds,
    current_attempt,
)


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
        connector: aiohttp.BaseConnector
        if unix_socket is None:
            context = httpx.create_ssl_context()
            connector = BoundedTcpConnector(limit=connections, ssl=context)
        else:
            connector = BoundedUnixConnector(unix_socket, limit=connections)
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None),
            auto_decompress=False,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the response, its body unread."""
        content = await request.aread()
        with _httpx_errors():
            response = await self._connected(request, content)
        return httpx.Response(
            response.status, headers=response.raw_headers, stream=_Body(response), request=request
        )

    async def aclose(self) -> None:
        """Close every connection."""
        await self._session.close()

    async def _connected(self, request: httpx.Request, content: bytes) -> aiohttp.ClientResponse:
        for _ in range(self._connect_retries):
            with suppress(aiohttp.ClientConnectorError):
                return await self._sent(request, content)
        return await self._sent(request, content)

    async def _sent(self, request: httpx.Request, content: bytes) -> aiohttp.ClientResponse:
        """Send; once more on a new connection if a reused one turns out to be closed.

        A server may close an idle connection at any time, also as it is reused. Then nothing was
        answered, and repeating a request for a decision is safe (RFC 9110, 9.2.2).
        """
        attempt = Attempt()
        current_attempt.set(attempt)
        try:
            return await self._send(request, content)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            if not attempt.reused:
                raise
        current_attempt.set(Attempt(fresh=True))
        return await self._send(request, content)

    async def _send(self, request: httpx.Request, content: bytes) -> aiohttp.ClientResponse:
        return await self._session.request(
            request.method,
            yarl.URL(str(request.url), encoded=True),
            headers=[(name.decode(), value.decode()) for name, value in request.headers.raw],
            data=content,
            allow_redirects=False,
        )


class _Body(httpx.AsyncByteStream):
    """A response body as it arrives; closing it before its end closes the connection."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _httpx_errors():
            async for chunk in self._response.content.iter_any():
                yield chunk

    async def aclose(self) -> None:
        """Return the connection to the pool if the body was complete, else close it."""
        self._response.close()


@contextmanager
def _httpx_errors() -> Iterator[None]:
    """Translate aiohttp's errors to httpx's, without their texts, which quote addresses."""
    try:
        yield
    except ResponseOutOfBounds:
        raise httpx.DecodingError("no response within the bounds") from None
    except aiohttp.ClientConnectorError:
        raise httpx.ConnectError("no connection") from None
    except (aiohttp.ClientPayloadError, aiohttp.ClientConnectionError, OSError):
        raise httpx.ReadError("the connection broke") from None
    except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError, ValueError):
        raise httpx.UnsupportedProtocol("not an HTTP address") from None
    except aiohttp.ClientError:
        raise httpx.RemoteProtocolError("not an HTTP/1.1 response") from None
