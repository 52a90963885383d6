"""Middlewares of every request: id, span, key, and errors as JSON."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from uuid import uuid4

from aiohttp import web
from aiohttp.typedefs import Middleware
from opentelemetry.trace import NoOpTracer, Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from pointsman_server.http_api import keys
from pointsman_server.http_api.errors import refusal, unexpected
from pointsman_server.http_api.json_bodies import json_response
from pointsman_server.http_api.keys import KeySource
from pointsman_server.lib.safe_traceback import frames_of

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

PUBLIC_PATHS = frozenset({"/health"})
SERVER_ERROR = 500
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_PROPAGATOR = TraceContextTextMapPropagator()


def enveloped(tracer: Tracer | None) -> Middleware:
    """Outermost middleware: continue the caller's trace, set the request id, format refusals."""
    tracer = tracer or NoOpTracer()

    @web.middleware
    async def envelope(request: web.Request, handler: Handler) -> web.StreamResponse:
        request_id = _request_id(request.headers.get("X-Request-Id"))
        route = _route(request)
        with tracer.start_as_current_span(
            f"{request.method} {route}" if route else request.method,
            context=_PROPAGATOR.extract(request.headers),
            kind=SpanKind.SERVER,
            attributes=_request_attributes(request, route),
            # An exception's text may quote a prompt.
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            response = await _shaped(request, handler, request_id)
            _describe(span, response)
        if not response.prepared:
            response.headers["X-Request-Id"] = request_id
        return response

    return envelope


def authenticated(source: KeySource) -> Middleware:
    """Require a key on every path but `PUBLIC_PATHS`, on unknown routes too."""

    @web.middleware
    async def authenticate(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path not in PUBLIC_PATHS:
            keys.check(request.headers.get("Authorization"), source=source)
        return await handler(request)

    return authenticate


async def plain_headers(_: web.Request, response: web.StreamResponse) -> None:
    """Set headers of every response: no sniffing, no caching, no server version."""
    response.headers["Server"] = "pointsman"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-store"


async def _shaped(request: web.Request, handler: Handler, request_id: str) -> web.StreamResponse:
    try:
        return await handler(request)
    except Exception as error:  # noqa: BLE001 - the last resort; a bug's text stays in here
        refused = refusal(error)
        if refused is None:
            _log_bug(error, request_id)
            refused = unexpected()
        elif refused.status >= SERVER_ERROR:
            log.warning("answered %s to %s: %s", refused.status, request_id, error)
    body = refused.body(request_id=request_id)
    return json_response(body, status=refused.status, headers=refused.headers)


def _log_bug(error: Exception, request_id: str) -> None:
    """The location and type of an error, without its text, which may quote a prompt."""
    frames = frames_of(error)
    log.error("bug while answering %s: %s\n%s", request_id, type(error).__name__, frames)


def _request_id(offered: str | None) -> str:
    return offered if offered and _REQUEST_ID.fullmatch(offered) else uuid4().hex


def _route(request: web.Request) -> str | None:
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else None


def _request_attributes(request: web.Request, route: str | None) -> dict[str, str]:
    attributes = {"http.request.method": request.method, "url.scheme": request.scheme}
    return attributes if route is None else {**attributes, "http.route": route}


def _describe(span: Span, response: web.StreamResponse) -> None:
    span.set_attribute("http.response.status_code", response.status)
    if response.status >= SERVER_ERROR:
        span.set_attribute("error.type", str(response.status))
        span.set_status(Status(StatusCode.ERROR))
