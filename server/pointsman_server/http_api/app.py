"""An endpoint as an aiohttp application: middlewares in order, and routes."""

from __future__ import annotations

from typing import Protocol

from aiohttp import web
from aiohttp.typedefs import Handler
from opentelemetry.trace import Tracer

from pointsman_server.http_api.envelope import authenticated, enveloped, plain_headers
from pointsman_server.http_api.json_bodies import json_response
from pointsman_server.http_api.keys import KeySource
from pointsman_server.http_api.limits import Limits

HEALTH = "/health"


class FaultRoutes(Protocol):
    """Fault injection: records received calls and plays a script instead of answers."""

    def add_to(self, app: web.Application) -> None:
        """Add the routes that script it."""
        ...

    async def recording(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Record a request, authenticated or not: a middleware."""
        ...

    async def playing(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Play the script's next step in place of the answer: a middleware."""
        ...


def build_endpoint(
    *,
    keys: KeySource,
    limits: Limits,
    tracer: Tracer | None = None,
    faults: FaultRoutes | None = None,
) -> web.Application:
    """Build an application with `GET /health` alone; the caller adds the routes."""
    ladder = [enveloped(tracer), authenticated(keys)]
    if faults is not None:
        # Calls are recorded before authentication.
        ladder.insert(1, faults.recording)
        ladder.append(faults.playing)
    app = web.Application(client_max_size=limits.body_bytes, middlewares=ladder)
    app.on_response_prepare.append(plain_headers)
    app.router.add_get(HEALTH, _health)
    if faults is not None:
        faults.add_to(app)
    return app


async def _health(_: web.Request) -> web.Response:
    """`GET /health`: the process answers."""
    return json_response({"status": "ok"})
