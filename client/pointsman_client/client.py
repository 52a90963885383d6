# ruff: noqa: ASYNC109  # a timeout is an RPC's deadline: it travels with the call
"""The async client: `route` raises errors, `decide` answers the static pick, `mirror` is silent.

`session` belongs to one event loop, `connection` makes one call.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from types import TracebackType
from typing import Self, TypeVar, Unpack

from pointsman.v1 import describe_routing_pb2

from pointsman_client.arguments import checked_retries, checked_target, seconds, tls_of
from pointsman_client.channel import Keepalive, Tls
from pointsman_client.connection import Endpoint, wrap_bugs
from pointsman_client.decode import to_description
from pointsman_client.description import RoutingDescription
from pointsman_client.errors import RoutingError
from pointsman_client.fallback import Call, StreamCall
from pointsman_client.mirror import MirrorCounts, MirrorLimits
from pointsman_client.model import ApiKind, RouteRequest
from pointsman_client.purposes import resolve_message
from pointsman_client.request_builder import (
    Promptlike,
    RequestFields,
    build_request,
    static_pick_of,
)
from pointsman_client.results import Choice, RouteResult
from pointsman_client.routes import Attempt, ResolvedRoute
from pointsman_client.session import Sessions
from pointsman_client.tokens import TokenSource
from pointsman_client.transports import Transport

Answer = TypeVar("Answer")
Chunk = TypeVar("Chunk")

ROUTE_TIMEOUT = 2.0
"""Seconds. For a caller that wants the answer or the error."""

DECIDE_TIMEOUT = 0.5
"""Seconds. `decide` delays a completion, so it bounds the latency that routing adds: longer than
the few hundred milliseconds of a remote engine, shorter than the time to a model's first token.
The service divides the remaining time among its engines, the embedded one last."""


class RoutingClient:
    """Async client of one Pointsman service. Open it once, share it, close it.

    It opens its channel at the first call, on the loop of that call. When that loop has closed,
    as after `asyncio.run`, the next call opens another one; while it is open, a call from another
    loop is a `ValueError`: use one client a loop, or `SyncRoutingClient`.

    Every call has a deadline: `timeout`, or `decide_timeout` for `decide`, in seconds; a call may
    give its own. gRPC retries `UNAVAILABLE` up to `retries` times within the deadline; when the
    service says when to come back, the client waits that long, if the deadline allows.
    `transport` says how the decisions of `route`, `decide` and `mirror` travel.
    """

    def __init__(
        self,
        target: str,
        *,
        token: TokenSource | None = None,
        tls: Tls | bool = False,
        timeout: float = ROUTE_TIMEOUT,
        decide_timeout: float = DECIDE_TIMEOUT,
        retries: int = 2,
        transport: Transport | str = Transport.UNARY,
        keepalive: Keepalive | None = None,
        mirror: MirrorLimits | None = None,
        options: Mapping[str, int | str] | None = None,
    ) -> None:
        self._timeout = seconds(timeout)
        self._decide_timeout = seconds(decide_timeout)
        endpoint = Endpoint(
            target=checked_target(target),
            token=token,
            tls=tls_of(tls),
            retries=checked_retries(retries),
            keepalive=keepalive,
            options=options or {},
        )
        self._sessions = Sessions(
            endpoint, transport=Transport(transport), mirror=mirror, timeout=self._timeout
        )

    async def route(
        self,
        prompt: Promptlike,
        *,
        api_kind: ApiKind | str | None = None,
        timeout: float | None = None,
        **fields: Unpack[RequestFields],
    ) -> RouteResult:
        """Ask which model should serve `prompt`; raises a `RoutingError` without an answer.

        A routing failure is an answer: outcome `FAILED`, and `serve_model` is the static pick.
        """
        budget = seconds(self._timeout if timeout is None else timeout)
        request = build_request(prompt, api_kind=api_kind, fields=fields)
        return await self._route(request, timeout=budget)

    async def decide(
        self,
        prompt: Promptlike,
        *,
        api_kind: ApiKind | str | None = None,
        timeout: float | None = None,
        **fields: Unpack[RequestFields],
    ) -> Choice:
        """Like `route`, but answers the static pick, and says why, where `route` would raise.

        It raises only for a mistake in the calling code (`TypeError`, `ValueError` for an
        argument of a wrong type or kind) and for the caller's own cancellation.
        """
        budget = seconds(self._decide_timeout if timeout is None else timeout)
        self._sessions.current()  # a call from a wrong loop is a mistake, not an outage
        static_pick = static_pick_of(prompt, fields=fields)
        try:
            request = build_request(prompt, api_kind=api_kind, fields=fields)
            result = await self._route(request, timeout=budget)
        except RoutingError as error:
            return Choice(model=static_pick, error=error)
        return Choice(model=result.serve_model or static_pick, result=result)

    def mirror(
        self,
        prompt: Promptlike,
        *,
        api_kind: ApiKind | str | None = None,
        **fields: Unpack[RequestFields],
    ) -> bool:
        """Ask in the background, for shadow use; False if the request was dropped or unusable.

        Never waits and raises nothing but `TypeError` and `ValueError` for mistakes in the calling
        code, as for a call outside of a running loop. `mirrored` counts the requests by result.
        """
        return self._sessions.current().mirror.submit(prompt, api_kind=api_kind, **fields)

    @property
    def mirrored(self) -> MirrorCounts:
        """Counts of the mirrored requests so far, by result."""
        return self._sessions.mirrored

    async def resolve(
        self,
        purpose: str,
        run_id: str,
        *,
        profile_override: str | None = None,
        prompt: Promptlike | None = None,
        api_kind: ApiKind | str | None = None,
        timeout: float | None = None,
        **fields: Unpack[RequestFields],
    ) -> ResolvedRoute:
        """Ask which LLM configs should serve `purpose` in this run; raises a `RoutingError`.

        A purpose whose route names a tier is decided for: from `prompt` and `fields`, like
        `route`. Other purposes do not look at them.
        """
        message = resolve_message(
            purpose,
            run_id,
            profile_override=profile_override,
            prompt=prompt,
            api_kind=api_kind,
            fields=fields,
        )
        budget = None if timeout is None else seconds(timeout)
        return await self._sessions.current().purposes.resolve(message, timeout=budget)

    async def run_with_fallback(
        self,
        purpose: str,
        run_id: str,
        call: Call[Answer],
        *,
        timeout: float | None = None,
        attempt_timeout: float | None = None,
        otherwise: Sequence[Attempt] = (),
        profile_override: str | None = None,
        prompt: Promptlike | None = None,
        api_kind: ApiKind | str | None = None,
        **fields: Unpack[RequestFields],
    ) -> Answer:
        """Resolve `purpose`, and `await call(attempt)` down its attempts until one answers.

        Only an eligible error leads to the next attempt. The last error is raised, with all
        attempts attached (`failed_attempts`). `timeout` bounds all of it, `attempt_timeout` each
        attempt, in seconds; without them nothing is bounded. Within a run later calls begin with
        the attempt that served the one before. `otherwise` is tried where the service does not
        answer.
        """
        message = resolve_message(
            purpose,
            run_id,
            profile_override=profile_override,
            prompt=prompt,
            api_kind=api_kind,
            fields=fields,
        )
        return await self._sessions.current().purposes.run(
            message,
            call,
            timeout=None if timeout is None else seconds(timeout),
            attempt_timeout=None if attempt_timeout is None else seconds(attempt_timeout),
            otherwise=otherwise,
        )

    def stream_with_fallback(
        self,
        purpose: str,
        run_id: str,
        call: StreamCall[Chunk],
        *,
        timeout: float | None = None,
        attempt_timeout: float | None = None,
        otherwise: Sequence[Attempt] = (),
        profile_override: str | None = None,
        prompt: Promptlike | None = None,
        api_kind: ApiKind | str | None = None,
        **fields: Unpack[RequestFields],
    ) -> AsyncIterator[Chunk]:
        """Like `run_with_fallback` for streams: an attempt succeeds with its first chunk.

        `call(attempt)` answers an async iterable, or awaits to one. Until the first chunk an error
        leads to the next attempt, and so does a stream that ends before it; `timeout` and
        `attempt_timeout` bound that time. Later errors are raised as they are. Close the iterator
        (`contextlib.aclosing`) if you leave it early.
        """
        message = resolve_message(
            purpose,
            run_id,
            profile_override=profile_override,
            prompt=prompt,
            api_kind=api_kind,
            fields=fields,
        )
        return self._sessions.current().purposes.stream(
            message,
            call,
            timeout=None if timeout is None else seconds(timeout),
            attempt_timeout=None if attempt_timeout is None else seconds(attempt_timeout),
            otherwise=otherwise,
        )

    async def describe(self, *, timeout: float | None = None) -> RoutingDescription:
        """Return the configuration in force; raises a `RoutingError`."""
        request = describe_routing_pb2.DescribeRoutingRequest()
        budget = seconds(self._timeout if timeout is None else timeout)
        connection = self._sessions.current().connection
        with wrap_bugs():
            return to_description(await connection.ask("DescribeRouting", request, timeout=budget))

    async def aclose(self) -> None:
        """Let mirrored requests drain within their bound, then close; calls in flight end."""
        await self._sessions.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _route(self, request: RouteRequest, *, timeout: float) -> RouteResult:
        return await self._sessions.current().route(request, timeout=timeout)
