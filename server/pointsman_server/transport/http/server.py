"""HTTP/1.1 server of the HTTP listener, on uvicorn, with the TLS of the gRPC addresses."""

from __future__ import annotations

import asyncio
import logging
import ssl
from asyncio import Transport
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from pointsman_server.core.fair_share import FairShare
from pointsman_server.transport.channel_args import METADATA_BYTES
from pointsman_server.transport.connection_shares import network_of
from pointsman_server.transport.http.gate import App
from pointsman_server.transport.http.parse_budget import BudgetedReads, ParseBudget

HEAD_BYTES = METADATA_BYTES
"""The longest head of a request, and the longest line of a chunk: 16 KiB, as on the gRPC addresses.
A head of the shortest fields takes the parser 2 ms for each KiB."""
HEAD_SECONDS = 10.0
"""Seconds for the first head of a connection, and for one that has begun, to arrive."""
HANDSHAKE_SECONDS = 10.0
IDLE = 60.0
"""Seconds that a connection may stay open without a request."""
_parser_log = logging.getLogger("uvicorn.error.requests")
_parser_log.setLevel(logging.ERROR)  # a stranger's bad request is a warning there, without bound


class _Protocol(H11Protocol):
    """Hands the names of a client's certificate to the application, and drops silent clients.

    A connection beyond its address's share is closed at once.
    """

    def __init__(self, *, shares: FairShare, **given: Any) -> None:
        super().__init__(**given)
        self.logger = _parser_log
        self._shares = shares
        self._holder: str | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # Without an address it has left already.
        address = transport.get_extra_info("peername")
        peer = network_of(str(address[0])) if address else None
        if peer is not None and self._shares.take(peer):
            self._holder = peer
        else:
            transport.abort()
        self.access_log = False  # a path is the caller's text
        tls = transport.get_extra_info("ssl_object")
        if tls is not None:
            self.app_state = {**self.app_state, "certificate": _names(tls.getpeercert() or {})}
        self._head_timer: asyncio.TimerHandle | None = None
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        cycle: Any = self.cycle  # None before the first request
        if cycle is None or cycle.response_complete:
            self._expect_head()
        elif self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def connection_lost(self, exc: Exception | None) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
        if self._holder is not None:
            self._shares.leave(self._holder)
            self._holder = None
        super().connection_lost(exc)

    def _expect_head(self) -> None:
        """Close the connection unless a whole head arrives: uvicorn waits for it without bound."""
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self.transport.close)


class HttpServer:
    """Serves `app` on one address, with at most `connections` at once."""

    def __init__(self, app: App, *, connections: int, tls: ssl.SSLContext | None) -> None:
        config = uvicorn.Config(
            app,
            http=_Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            timeout_keep_alive=int(IDLE),
            limit_concurrency=connections,
            h11_max_incomplete_event_size=HEAD_BYTES,
        )
        config.load()
        config.ssl = tls
        self._config = config
        self._state = uvicorn.Server(config).server_state
        self._shares = FairShare(connections)
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int, *, shares_port: bool = False) -> int:
        """Listen; port 0 takes a free one. Returns the port. Raises `OSError`."""
        budget = ParseBudget()

        def protocol() -> BudgetedReads:
            inner = _Protocol(
                shares=self._shares, config=self._config, server_state=self._state, app_state={}
            )
            return BudgetedReads(inner, budget)

        self._server = await asyncio.get_running_loop().create_server(
            protocol,
            host,
            port,
            ssl=self._config.ssl,
            ssl_handshake_timeout=HANDSHAKE_SECONDS if self._config.ssl else None,
            backlog=2_048,
            reuse_port=shares_port or None,
        )
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def stop(self, grace: float) -> None:
        """Take no new connections, let requests end within `grace` seconds, close."""
        if self._server is None:
            return
        self._server.close()
        for connection in list(self._state.connections):
            connection.shutdown()
        try:
            async with asyncio.timeout(grace):
                while self._state.tasks:
                    await asyncio.wait(list(self._state.tasks))
        except TimeoutError:
            for task in list(self._state.tasks):
                task.cancel()
        for connection in list(self._state.connections):
            if connection.transport is not None:
                connection.transport.abort()


def _names(certificate: Any) -> dict[str, list[bytes]]:
    """The names of a certificate under gRPC's names for them."""
    alternative = [value for _, value in certificate.get("subjectAltName", ())]
    common = [v for part in certificate.get("subject", ()) for k, v in part if k == "commonName"]
    return {
        "x509_subject_alternative_name": [str(name).encode() for name in alternative],
        "x509_common_name": [str(name).encode() for name in common],
    }
