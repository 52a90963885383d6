"""aiohttp connections that report reuse and bound the data before a response."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection

INTERIM_RESPONSES = 8
"""Interim (1xx) responses that are skipped before the final one."""
HEAD_BYTES = 64 * 1024
"""Bytes that may precede the end of the final response's head."""
EXCHANGE_BYTES = 1024 * 1024
"""Bytes of one exchange: a body of the longest length that is read, in chunks of one byte."""
_SLICE = 4 * 1024
"""Bytes that are parsed at once: the bounds above are checked in between."""
_CONTINUE, _SWITCHING, _OK = 100, 101, 200


class ResponseOutOfBounds(aiohttp.ClientError):
    """The server sent interim responses, header fields, framing or responses without end."""


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
    """aiohttp's protocol, which gives up on a server that sends without end.

    aiohttp parses whatever arrives at once and queues every response, interim ones (100 Continue)
    too, so a server that sends nothing else would fill the memory and stall the event loop.
    """

    used = False
    """Whether a request was sent on the connection before."""
    _responses = 1
    _interim = 0
    _received = 0

    def set_response_params(self, **params: Any) -> None:
        """Expect a response; aiohttp calls this before each request."""
        self._responses = 0
        self._interim = 0
        self._received = 0
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        """Parse in slices, and close the connection where a bound is exceeded."""
        while len(data) > _SLICE and self.transport is not None:
            piece, data = data[:_SLICE], data[_SLICE:]
            self._parse(piece)
        if self.transport is not None:
            self._parse(data)

    def feed_data(self, data: Any, size: int = 0) -> None:
        """Queue the final response's head; drop interim ones."""
        code = data[0].code
        if _CONTINUE <= code < _OK and code != _SWITCHING:
            self._interim += 1
            return
        self._responses += 1
        super().feed_data(data, size)

    def _parse(self, data: bytes) -> None:
        self._received += len(data)
        payload = self._payload
        super().data_received(data)
        if self._out_of_bounds() and self.transport is not None:
            error = ResponseOutOfBounds()
            self.set_exception(error)
            payload = self._payload or payload
            if payload is not None:
                payload.set_exception(error)
            transport, self.transport = self.transport, None
            transport.abort()

    def _out_of_bounds(self) -> bool:
        if self._responses == 0:
            return self._interim > INTERIM_RESPONSES or self._received > HEAD_BYTES
        return self._responses > 1 or self._received > EXCHANGE_BYTES


class _ReuseTracking(aiohttp.BaseConnector):
    """Records for each call whether its connection had served another one before.

    aiohttp's tracing reports it too, at a twentieth of the cost of a whole remote decision.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        factory: Any = partial(BoundedResponses, loop=self._loop)
        self._factory = factory

    async def connect(self, *args: Any, **kwargs: Any) -> Connection:
        attempt = current_attempt.get()
        connection = await super().connect(*args, **kwargs)
        while attempt.fresh and _is_used(connection):
            # A restart or a load balancer that broke the last one seldom breaks only one.
            connection.close()
            connection = await super().connect(*args, **kwargs)
        attempt.reused = _is_used(connection)
        if isinstance(connection.protocol, BoundedResponses):
            connection.protocol.used = True
        return connection


def _is_used(connection: Connection) -> bool:
    protocol = connection.protocol
    return isinstance(protocol, BoundedResponses) and protocol.used


class BoundedTcpConnector(_ReuseTracking, aiohttp.TCPConnector):
    """Connects over TCP, with TLS for https."""


class BoundedUnixConnector(_ReuseTracking, aiohttp.UnixConnector):
    """Connects to a Unix domain socket."""
