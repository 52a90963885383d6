"""Build the HTTP server: RPCs behind the gate."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from importlib.resources import files

from pointsman_server.transport.http.connect_app import RoutingApplication
from pointsman_server.transport.http.gate import App, HttpGate, Pages
from pointsman_server.transport.http.server import HttpServer
from pointsman_server.transport.security.bearer_auth import BearerAuthentication
from pointsman_server.transport.servicer import RoutingServicer


def build_http_server(
    servicer: RoutingServicer,
    *,
    pages: Pages,
    tokens: BearerAuthentication | None,
    origins: Iterable[str],
    connections: int,
    tls: ssl.SSLContext | None,
) -> HttpServer:
    """Build a server for `servicer`'s RPCs; see `HttpGate` and `HttpServer`."""
    rpcs: App = RoutingApplication(servicer)
    openapi = (files(__package__) / "openapi.json").read_bytes()
    gate = HttpGate(rpcs, pages=pages, openapi=openapi, tokens=tokens, origins=origins)
    return HttpServer(gate, connections=connections, tls=tls)
