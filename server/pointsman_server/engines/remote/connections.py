"""aiohttp connections that report reuse and bound the data before a response."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any
from weakref import WeakSet

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection

INTERIM_RESPONSES = 8
"""Interim (1xx) responses that are skipped before the final one."""
HEAD_BYTES = 64 * 1024
"""Bytes that may precede the end of the final response's head."""
_SLICE = 4 * 1024
"""Bytes parsed at once until the final head is complete: the bounds above are checked between."""
_CONTINUE, _SWITCHING, _OK = 100, 101, 200


class ResponseHeadTooLong(aiohttp.ClientError):
    """The server sent interim responses or header fields without end."""


@dataclass(slots=True)
class Attempt:
    """One sending of a request, shared by the connector and the transport."""

    fresh: bool = False
    """Whether the request needs a connection that served no request before."""
    reused: bool = False
    """Whether the connection that it got had served a request before."""


current_attempt: ContextVar[Attempt] = ContextVar("current_attempt")
"""The running call's attempt."""


class BoundedResponses(ResponseHandler):
    """aiohttp's protocol, which gives up on a response head that does not end.

    aiohttp parses all received data at once and queues every interim response (100 Continue), so a
    server that sends nothing else would fill the memory and stall the event loop.
    """

    _head_complete = True
    _interim = 0
    _received = 0

    def set_response_params(self, **params: Any) -> None:
        """Expect a response; aiohttp calls this before each request."""
        self._head_complete = False
        self._interim = 0
        self._received = 0
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        """Parse; in slices as long as the final response's head is not complete."""
        while not self._head_complete and self.transport is not None and len(data) > _SLICE:
            piece, data = data[:_SLICE], data[_SLICE:]
            self._parse(piece)
        if self.transport is not None:
            self._parse(data)

    def feed_data(self, data: Any, size: int = 0) -> None:
        """Queue a parsed response head; drop interim ones."""
        code = data[0].code
        if _CONTINUE <= code < _OK and code != _SWITCHING:
            self._interim += 1
            return
        self._head_complete = True
        super().feed_data(data, size)

    def _parse(self, data: bytes) -> None:
        self._received += len(data)
        super().data_received(data)
        endless = self._interim > INTERIM_RESPONSES or self._received > HEAD_BYTES
        if endless and not self._head_complete and self.transport is not None:
            self.set_exception(ResponseHeadTooLong())
            transport, self.transport = self.transport, None
            transport.abort()


class _ReuseTracking(aiohttp.BaseConnector):
    """Records for each call whether its connection had served another one before.

    aiohttp's tracing reports it too, at a twentieth of the cost of a whole remote decision.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._used: WeakSet[object] = WeakSet()
        factory: Any = partial(BoundedResponses, loop=self._loop)
        self._factory = factory

    async def connect(self, *args: Any, **kwargs: Any) -> Connection:
        attempt = current_attempt.get()
        connection = await super().connect(*args, **kwargs)
        while attempt.fresh and connection.protocol in self._used:
            # A restart or a load balancer that broke the last one seldom breaks only one.
            connection.close()
            connection = await super().connect(*args, **kwargs)
        attempt.reused = connection.protocol in self._used
        self._used.add(connection.protocol)
        return connection


class BoundedTcpConnector(_ReuseTracking, aiohttp.TCPConnector):
    """Connects over TCP, with TLS for https."""


class BoundedUnixConnector(_ReuseTracking, aiohttp.UnixConnector):
    """Connects to a Unix domain socket."""
