"""ASGI middleware for a gateway: requests for a tier get the decided model."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeAlias

from pointsman_client import IdentitySources, RoutingClient, in_trace_of

from pointsman_http.bodies import api_of
from pointsman_http.planning import Plan, Planner, Routed, log_fault
from pointsman_http.response_ids import ResponseIdReader

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

MOST_BYTES = 1024 * 1024
STATE = "pointsman"
"""The member of `scope["state"]` (`request.state` in Starlette) with the `Routed` of a request."""
_HEADERS = frozenset({b"x-pointsman-model", b"x-pointsman-why", b"x-pointsman-tier"})


class RoutingMiddleware:
    """Decides about requests for `tiers` before `app` sees them.

    `tiers` maps each tier to the static pick of the gateway's own rules, or to `None`. With
    `serves` the body that `app` reads names the model to serve; otherwise the body stays as it
    came, and the service is called in the background. `app` finds the decision in
    `scope["state"]["pointsman"]` and in the headers `x-pointsman-model`, `-why` and `-tier`,
    which no client can set.

    A body of more than `most_bytes`, a compressed one, and one of another API pass unread. Errors
    in here never fail a request. Responses pass untouched; of those of the Responses API the id is
    remembered, which later turns name instead of their conversation. The middleware closes
    `routing` at the end of the application's lifespan.
    """

    def __init__(
        self,
        app: App,
        *,
        routing: RoutingClient,
        tiers: Mapping[str, str | None],
        serves: bool = False,
        candidates: Mapping[str, Sequence[str]] | None = None,
        sources: IdentitySources | None = None,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._app = app
        self._routing = routing
        self._planner = Planner(tiers, candidates=candidates, sources=sources)
        self._serves = serves
        self._most = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of the server."""
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, self._closing(send))
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        scope = {**scope, "headers": [(k, v) for k, v in scope["headers"] if k not in _HEADERS]}
        if not self._reads(scope):
            return await self._app(scope, receive, send)
        body, receive = await _read(receive, most=self._most)
        if body is None:
            return await self._app(scope, receive, send)
        try:
            scope, body, send = await self._route(scope, body, send)
        except Exception as error:  # noqa: BLE001  # the request must go on
            log_fault(error)
        return await self._app(scope, _replayed(body, receive), send)

    def _reads(self, scope: Scope) -> bool:
        headers = dict(scope["headers"])
        kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        length = headers.get(b"content-length", b"0")
        return (
            scope["method"] == "POST"
            and kind in (b"application/json", b"")
            and headers.get(b"content-encoding", b"identity") == b"identity"
            and length.isdigit()
            and int(length) <= self._most
            and api_of(scope["path"]) is not None
        )

    async def _route(self, scope: Scope, body: bytes, send: Send) -> tuple[Scope, bytes, Send]:
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        plan = self._planner.plan(body, path=scope["path"], headers=headers)
        if plan is None:
            return scope, body, send
        with _trace(headers):
            routed = await self._decided(plan) if self._serves else self._mirrored(plan)
        if routed.model:
            body = plan.body_for(routed.model)
        if reader := self._planner.reader(plan):
            send = _watched(send, reader)
        return _with_facts(scope, routed, length=len(body)), body, send

    async def _decided(self, plan: Plan) -> Routed:
        if known := self._planner.without_question(plan):
            return known
        choice = await self._routing.decide(plan.question, **plan.fields)
        routed = self._planner.routed(plan, choice)
        self._planner.note(plan, routed, routed.model)
        return routed

    def _mirrored(self, plan: Plan) -> Routed:
        if plan.prompt is None or "dry_run" in plan.fields:
            return Routed(
                tier=plan.tier, models=(), why="unreadable" if not plan.prompt else "side"
            )
        taken = self._routing.mirror(plan.prompt, **plan.fields)
        return Routed(tier=plan.tier, models=(), why="mirrored" if taken else "dropped")

    def _closing(self, send: Send) -> Send:
        async def sent(message: Message) -> None:
            if message["type"].startswith("lifespan.shutdown."):
                await self._routing.aclose()
            await send(message)

        return sent


async def _read(receive: Receive, *, most: int) -> tuple[bytes | None, Receive]:
    """Read a body of at most `most` bytes, and how to go on receiving.

    The body is `None` if it is longer, or the client left: then the messages are received again.
    """
    messages: list[Message] = []
    size = 0
    while True:
        message = await receive()
        messages.append(message)
        size += len(message.get("body", b""))
        if message["type"] != "http.request" or size > most:
            return None, _again(messages, receive)
        if not message.get("more_body", False):
            return b"".join(each.get("body", b"") for each in messages), receive


def _again(messages: list[Message], receive: Receive) -> Receive:
    async def received() -> Message:
        return messages.pop(0) if messages else await receive()

    return received


def _replayed(body: bytes, receive: Receive) -> Receive:
    return _again([{"type": "http.request", "body": body, "more_body": False}], receive)


def _watched(send: Send, reader: ResponseIdReader) -> Send:
    """Return a `send` that shows `reader` the response's body as it passes."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            # ASGI allows any iterable, also one that can be read once.
            message = {**message, "headers": list(message.get("headers", ()))}
        try:
            _show(message, reader)
        except Exception as error:  # noqa: BLE001  # the response must go on
            log_fault(error)
        await send(message)

    return sent


def _show(message: Message, reader: ResponseIdReader) -> None:
    if message["type"] == "http.response.start":
        headers = {k.lower(): v for k, v in message["headers"]}
        reader.start(message["status"], headers.get(b"content-encoding", b"").decode("latin-1"))
    elif message["type"] == "http.response.body":
        reader.feed(message.get("body", b""))


def _with_facts(scope: Scope, routed: Routed, *, length: int) -> Scope:
    """The scope with the decision in its state and headers, and the length of the new body."""
    framing = (b"content-length", b"transfer-encoding")
    headers = [(k, v) for k, v in scope["headers"] if k not in framing]
    headers += [
        (b"content-length", str(length).encode()),
        (b"x-pointsman-tier", routed.tier.encode()),
        (b"x-pointsman-why", routed.why.encode()),
    ]
    if routed.model:
        headers.append((b"x-pointsman-model", routed.model.encode()))
    return {**scope, "headers": headers, "state": {**scope.get("state", {}), STATE: routed}}


def _trace(headers: Mapping[str, str]) -> AbstractContextManager[None]:
    """The request's trace, unless an instrumented gateway has begun a span."""
    try:
        from opentelemetry import trace  # noqa: PLC0415  # it may be absent
    except ImportError:
        return nullcontext()
    if trace.get_current_span().get_span_context().is_valid:
        return nullcontext()
    return in_trace_of(headers)
