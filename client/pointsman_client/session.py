# ruff: noqa: ASYNC109  # a timeout is an RPC's deadline: it travels with the call
"""Sessions of the async client: the parts that belong to one event loop."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from pointsman_client.connection import Connection, Endpoint, wrap_bugs
from pointsman_client.decode import to_result
from pointsman_client.encode import to_message
from pointsman_client.mirror import Mirror, MirrorCounts, MirrorLimits
from pointsman_client.model import RouteRequest
from pointsman_client.offered import check_offered
from pointsman_client.purposes import Purposes
from pointsman_client.results import RouteResult
from pointsman_client.run_affinity import RunAffinity
from pointsman_client.transports import DecisionTransport, Transport, build_transport

_OTHER_LOOP = (
    "this client belongs to another event loop, which is still open: use one RoutingClient a"
    " loop, or SyncRoutingClient"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A connection on one loop, with its transport and mirror."""

    loop: asyncio.AbstractEventLoop
    connection: Connection
    transport: DecisionTransport
    purposes: Purposes
    mirror: Mirror

    async def route(self, request: RouteRequest, *, timeout: float) -> RouteResult:
        """Decide one request; raises a `RoutingError`."""
        return await _route(self.transport, request, timeout=timeout)

    async def aclose(self) -> None:
        """Drain the mirror, then close; calls in flight end."""
        await self.mirror.aclose()
        await self.transport.aclose()
        await self.connection.aclose()


class Sessions:
    """Opens a session on the running loop, and another one when that loop has closed."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        transport: Transport,
        mirror: MirrorLimits | None,
        timeout: float,
    ) -> None:
        self._endpoint = endpoint
        self._transport = transport
        self._limits = mirror
        self._timeout = timeout
        self._runs = RunAffinity()
        self._past = MirrorCounts()
        self._session: Session | None = None
        self._closed = False

    def current(self) -> Session:
        """Return the running loop's session.

        Raises `ValueError` outside of a running loop, and on a loop other than the session's
        while that one is open.
        """
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise ValueError(
                "no event loop is running here: call this from a coroutine, or use"
                " SyncRoutingClient"
            ) from None
        session = self._session
        if session is not None and session.loop is not loop:
            if not session.loop.is_closed():
                raise ValueError(_OTHER_LOOP)
            # Its tasks and calls ended with its loop; the channel goes with the last reference.
            self._past = session.mirror.counts.after_loss()
            session = None
        if session is None:
            session = self._session = self._open(loop)
        return session

    @property
    def mirrored(self) -> MirrorCounts:
        """Counts of the mirrored requests, over all sessions."""
        return self._session.mirror.counts if self._session else self._past

    async def aclose(self) -> None:
        """Close the session; later calls end with `ClientClosed`."""
        self._closed = True
        if self._session is not None and not self._session.loop.is_closed():
            await self.current().aclose()

    def _open(self, loop: asyncio.AbstractEventLoop) -> Session:
        connection = Connection(self._endpoint, closed=self._closed)
        transport = build_transport(self._transport, connection)

        async def ask(request: RouteRequest, *, timeout: float) -> RouteResult:
            return await _route(transport, request, timeout=timeout)

        return Session(
            loop=loop,
            connection=connection,
            transport=transport,
            purposes=Purposes(connection, timeout=self._timeout, runs=self._runs),
            mirror=Mirror(ask, limits=self._limits, past=self._past, closed=self._closed),
        )


async def _route(
    transport: DecisionTransport, request: RouteRequest, *, timeout: float
) -> RouteResult:
    with wrap_bugs():
        message = to_message(request)
        result = to_result(await transport.ask(message, timeout=timeout))
        check_offered(result, request)
        return result
