"""An `httpx` transport over aiohttp's connections.

httpx's stock transport costs more than everything else of a call together, and loses a place of
its pool for good where a caller leaves at the wrong moment (httpcore 1.0, issue 1093); deadlines
and callers that hang up do that all the time. aiohttp's pool does neither.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

import aiohttp
import httpx
import yarl
from aiohttp.connector import Connection


@dataclass(slots=True)
class _Attempt:
    """One sending of a request, as the connector and the transport tell each other of it."""

    fresh: bool = False
    """Whether no connection will do that had been used before."""
    kept: bool = False
    """Whether the connection that it got had been used before."""


_attempt: ContextVar[_Attempt] = ContextVar("attempt")
"""Of the running call."""


class KeptAliveTransport(httpx.AsyncBaseTransport):
    """HTTP/1.1 over at most `connections` at once, which are kept and used again.

    TLS is verified against the authorities that httpx goes by. No redirects, no cookies, no
    proxies from the environment; bodies come as they were sent, compressed or not. It has no
    time-outs of its own and does not read those of a request: the caller bounds the whole call,
    and cancelling it closes its connection. Raises httpx's errors. Built inside a running loop.
    """

    def __init__(self, *, connections: int, connect_retries: int = 0) -> None:
        self._connect_retries = connect_retries
        self._session = aiohttp.ClientSession(
            connector=_Connector(limit=connections, ssl=httpx.create_ssl_context()),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None),
            auto_decompress=False,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The response, its body unread."""
        content = await request.aread()
        with _as_httpx():
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
        """Send; once more, on a new connection, where a kept one turns out to be gone.

        A server may close an idle connection at any time, also just when it is used again. Then
        nothing was answered, and asking for a decision twice changes nothing (RFC 9110, 9.2.2).
        """
        attempt = _Attempt()
        _attempt.set(attempt)
        try:
            return await self._send(request, content)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            if not attempt.kept:
                raise
        _attempt.set(_Attempt(fresh=True))
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
    """A body as it comes in; closing it before its end closes the connection."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _as_httpx():
            async for chunk in self._response.content.iter_any():
                yield chunk

    async def aclose(self) -> None:
        """Let go of the connection: it is kept if the body was complete, else closed."""
        self._response.close()


class _Connector(aiohttp.TCPConnector):
    """Says of each call whether its connection had served another one before.

    aiohttp's tracing says so too, for a twentieth of what a decision by Morph costs here.
    """

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._used: WeakSet[object] = WeakSet()

    async def connect(self, *asked: Any, **rest: Any) -> Connection:
        attempt = _attempt.get()
        connection = await super().connect(*asked, **rest)
        while attempt.fresh and connection.protocol in self._used:
            # What broke the last one, a restart or a balancer, seldom breaks one alone.
            connection.close()
            connection = await super().connect(*asked, **rest)
        attempt.kept = connection.protocol in self._used
        self._used.add(connection.protocol)
        return connection


@contextmanager
def _as_httpx() -> Iterator[None]:
    """Errors of aiohttp as those of httpx, without their texts, which name addresses."""
    try:
        yield
    except aiohttp.ClientConnectorError:
        raise httpx.ConnectError("no connection") from None
    except (aiohttp.ClientPayloadError, aiohttp.ClientConnectionError, OSError):
        raise httpx.ReadError("the connection broke") from None
    except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError, ValueError):
        raise httpx.UnsupportedProtocol("not an address of HTTP") from None
    except aiohttp.ClientError:
        raise httpx.RemoteProtocolError("not an answer of HTTP/1.1") from None
