"""Checks before the RPCs over HTTP: tokens, probes, metrics, origins, time for a body."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from pointsman_server.core.errors import FieldViolation, InvalidRequest, Unauthenticated
from pointsman_server.lib.safe_traceback import frames_of
from pointsman_server.transport.call import SERVICE
from pointsman_server.transport.errors import to_status
from pointsman_server.transport.http.codecs import STRICT
from pointsman_server.transport.http.connect_app import CERTIFICATE
from pointsman_server.transport.http.errors import error_body, error_of
from pointsman_server.transport.http.refusals import GRPC, NOT_FOUND, explained
from pointsman_server.transport.security.bearer_auth import BearerAuthentication

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

BODY_SECONDS = 10.0
"""Seconds for the body of a request other than a stream's to arrive."""

_STREAM = f"/{SERVICE}/StreamRouteDecisions"
_FORM = b"application/x-www-form-urlencoded"
_EMPTY_REQUEST = b"connect=v1&encoding=json&message=%7B%7D"
_NEEDS_HTTP_2 = (b"application/grpc", b"application/grpc+proto", b"application/grpc+json")
_TEXT = "text/plain; charset=utf-8"
_ALLOWED_HEADERS = (
    b"authorization, content-type, connect-protocol-version, connect-timeout-ms, x-grpc-web,"
    b" grpc-timeout, traceparent, tracestate, x-user-agent"
)
_EXPOSED_HEADERS = b"grpc-status, grpc-message, grpc-status-details-bin"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """The pages beside the RPCs."""

    ready: Callable[[], bool]
    """Whether calls are served; false while the service drains."""
    metrics: Callable[[], Awaitable[bytes]]
    metrics_type: str


class HttpGate:
    """An ASGI application before `app`.

    `origins` are the origins of browser pages that may call; `*` allows any. With `tokens`, only
    the probes need none. `openapi` is the document at `/openapi.json`.
    """

    def __init__(
        self,
        app: App,
        *,
        pages: Pages,
        openapi: bytes,
        tokens: BearerAuthentication | None,
        origins: Iterable[str] = (),
    ) -> None:
        self._app = app
        self._pages = pages
        self._openapi = openapi
        self._tokens = tokens
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. A bug is answered by 500 with a fixed text."""
        if scope["type"] != "http":
            return None
        headers = dict(scope["headers"])
        origin = headers.get(b"origin", b"").decode("latin-1")
        if self._allows(origin):
            send = _with_origin(send, origin)
            if scope["method"] == "OPTIONS":
                return await _preflight(send)
        try:
            await self._serve(scope, headers, receive, send)
        except Exception as error:  # noqa: BLE001  (the last resort: nothing foreign leaks)
            _log.error("unexpected %s\n%s", type(error).__name__, frames_of(error))
        return None

    def _allows(self, origin: str) -> bool:
        return bool(origin) and ("*" in self._origins or origin in self._origins)

    async def _serve(
        self, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive, send: Send
    ) -> None:
        path = scope["path"]
        if path == "/healthz":
            return await _respond(send, 200, b"ok\n")
        if path == "/readyz":
            ready = self._pages.ready()
            return await _respond(send, 200 if ready else 503, b"ok\n" if ready else b"draining\n")
        presented = headers.get(b"authorization", b"").decode("latin-1")
        if self._tokens is not None and not self._tokens.admit(presented, _method(path)):
            return await _refuse(send)
        if not path.startswith(f"/{SERVICE}/"):
            return await self._page(path, send)
        if (refusal := _unreadable(headers)) is not None:
            return await _respond(send, *refusal)
        CERTIFICATE.set(scope.get("state", {}).get("certificate", {}))
        STRICT.set(b"connect-protocol-version" not in headers)
        send = explained(send)
        if path != _STREAM:
            body = _TimedBody(receive, send)
            receive, send = body.receive, body.send
        return await self._app(_as_json(_with_query(scope), headers), receive, send)

    async def _page(self, path: str, send: Send) -> None:
        if path == "/metrics":
            page = await self._pages.metrics()
            return await _respond(send, 200, page, self._pages.metrics_type)
        if path == "/openapi.json":
            return await _respond(send, 200, self._openapi, "application/json")
        return await _respond(send, 404, NOT_FOUND)


def _method(path: str) -> str | None:
    """The RPC's name for metrics; a path that is not served is the caller's text."""
    return path.removeprefix("/") if path.startswith(f"/{SERVICE}/") else None


def _unreadable(headers: Mapping[bytes, bytes]) -> tuple[int, bytes, str] | None:
    """Return the answer to a request whose headers the RPC library raises for."""
    if headers.get(b"content-type", b"").lower() in _NEEDS_HTTP_2:
        return 415, GRPC, _TEXT
    try:
        for value in headers.values():
            value.decode()
    except UnicodeDecodeError:
        violation = FieldViolation("headers", "must be text in UTF-8")
        error = error_of(to_status(InvalidRequest([violation])))
        return 400, error_body(error), "application/json"
    return None


def _as_json(scope: Scope, headers: Mapping[bytes, bytes]) -> Scope:
    """Take a body that nobody typed, such as that of `curl -d`, as JSON.

    Not from a browser: a page of any origin may send such bodies without asking.
    """
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if scope["method"] != "POST" or kind not in (b"", _FORM) or b"origin" in headers:
        return scope
    others = [(k, v) for k, v in scope["headers"] if k != b"content-type"]
    return {**scope, "headers": [*others, (b"content-type", b"application/json")]}


def _with_query(scope: Scope) -> Scope:
    """Take a GET without a query, such as that of `curl`, as an empty request in JSON."""
    if scope["method"] != "GET" or scope["query_string"]:
        return scope
    return {**scope, "query_string": _EMPTY_REQUEST}


class _TimedBody:
    """Bounds the time in which a body arrives, and closes a connection whose body did not."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._end: float | None = asyncio.get_running_loop().time() + BODY_SECONDS
        self._late = False

    async def receive(self) -> MutableMapping[str, Any]:
        """Return the next part; a client that is late has left."""
        try:
            async with asyncio.timeout_at(self._end):
                message = await self._receive()
        except TimeoutError:
            self._late = True
            return {"type": "http.disconnect"}
        if not message.get("more_body", False):
            self._end = None  # only the client's disconnect follows, without a time limit
        return message

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Send a part of the response."""
        if self._late and message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
        await self._send(message)


async def _refuse(send: Send) -> None:
    body = error_body(error_of(to_status(Unauthenticated())))
    challenge = (b"www-authenticate", b"Bearer")
    await _respond(send, 401, body, "application/json", challenge)


def _with_origin(send: Send, origin: str) -> Send:
    async def sent(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [
                *message.get("headers", ()),
                (b"access-control-allow-origin", origin.encode("latin-1")),
                (b"access-control-expose-headers", _EXPOSED_HEADERS),
                (b"vary", b"Origin"),
            ]
        await send(message)

    return sent


async def _preflight(send: Send) -> None:
    await _respond(
        send,
        204,
        b"",
        _TEXT,
        (b"access-control-allow-methods", b"GET, POST"),
        (b"access-control-allow-headers", _ALLOWED_HEADERS),
        (b"access-control-max-age", b"7200"),
    )


async def _respond(
    send: Send, status: int, body: bytes, kind: str = _TEXT, *headers: tuple[bytes, bytes]
) -> None:
    length = (b"content-length", str(len(body)).encode())
    content = (b"content-type", kind.encode())
    await send(
        {"type": "http.response.start", "status": status, "headers": [content, length, *headers]}
    )
    await send({"type": "http.response.body", "body": body})
