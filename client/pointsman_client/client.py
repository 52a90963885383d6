# ruff: noqa: ASYNC109  # a timeout is an RPC's deadline: it travels with the call
"""The client: one channel, three ways to ask.

`route` raises what went wrong, `decide` answers the static pick instead, `mirror` asks in the
background and answers nobody. `connection` is the way of one call.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self, TypeVar, Unpack

from pointsman.v1 import describe_routing_pb2

from pointsman_client.channel import Keepalive, Tls
from pointsman_client.connection import Connection, wrap_bugs
from pointsman_client.decode import to_description, to_result
from pointsman_client.description import RoutingDescription
from pointsman_client.encode import to_message
from pointsman_client.errors import RoutingError
from pointsman_client.fallback import Call
from pointsman_client.mirror import Mirror, MirrorCounts, MirrorLimits
from pointsman_client.model import ApiKind, RouteRequest
from pointsman_client.purposes import Purposes
from pointsman_client.request_builder import (
    Promptlike,
    RequestFields,
    build_request,
    static_pick_of,
)
from pointsman_client.results import Choice, RouteResult
from pointsman_client.routes import Attempt, ResolvedRoute
from pointsman_client.tokens import TokenSource
from pointsman_client.transports import Transport, build_way

Answer = TypeVar("Answer")

ROUTE_TIMEOUT = 2.0
"""Seconds. For a caller that wants the answer or the error."""

DECIDE_TIMEOUT = 0.5
"""Seconds. `decide` stands before a completion, so it bounds what routing can cost a user: over
the few hundred milliseconds that a remote engine takes, under the time to a model's first token.
The service divides what is left of it among its engines, the embedded one last."""


class RoutingClient:
    """Asks one Pointsman service. Open it once, share it, close it.

    It opens its channel at the first call, on the loop of that call, and belongs to that loop.
    Every call has a deadline: `timeout`, or `decide_timeout` for `decide`, in seconds; a call may
    give its own. `UNAVAILABLE` is retried by gRPC up to `retries` times within the deadline; a
    service that says when to come back is asked again then, if the deadline allows. `transport`
    says how the decisions of `route`, `decide` and `mirror` travel.
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
        self._timeout = _seconds(timeout)
        self._decide_timeout = _seconds(decide_timeout)
        if retries < 0:
            raise ValueError("retries must be 0 or more")
        self._connection = Connection(
            target,
            token=token,
            tls=Tls() if tls is True else (tls or None),
            retries=retries,
            keepalive=keepalive,
            options=options or {},
        )
        self._way = build_way(Transport(transport), self._connection)
        self._mirror = Mirror(self._route, limits=mirror)
        self._purposes = Purposes(self._connection, timeout=self._timeout)

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
        budget = _seconds(self._timeout if timeout is None else timeout)
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

        What still raises is a mistake in the calling code (`TypeError`, `ValueError` for an
        argument of a wrong type or kind) and the caller's own cancellation.
        """
        budget = _seconds(self._decide_timeout if timeout is None else timeout)
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
        code. Call it from the client's loop; `mirrored` counts what became of the requests.
        """
        return self._mirror.submit(prompt, api_kind=api_kind, **fields)

    @property
    def mirrored(self) -> MirrorCounts:
        """What became of the mirrored requests so far."""
        return self._mirror.counts

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
        return await self._purposes.resolve(
            purpose,
            run_id,
            profile_override=profile_override,
            prompt=prompt,
            api_kind=api_kind,
            timeout=None if timeout is None else _seconds(timeout),
            fields=fields,
        )

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
        return await self._purposes.run_with_fallback(
            purpose,
            run_id,
            call,
            timeout=None if timeout is None else _seconds(timeout),
            attempt_timeout=None if attempt_timeout is None else _seconds(attempt_timeout),
            otherwise=otherwise,
            profile_override=profile_override,
            prompt=prompt,
            api_kind=api_kind,
            **fields,
        )

    async def describe(self, *, timeout: float | None = None) -> RoutingDescription:
        """Ask what is in force; raises a `RoutingError`."""
        request = describe_routing_pb2.DescribeRoutingRequest()
        budget = _seconds(self._timeout if timeout is None else timeout)
        with wrap_bugs():
            return to_description(
                await self._connection.ask("DescribeRouting", request, timeout=budget)
            )

    async def aclose(self) -> None:
        """Let mirrored requests drain within their bound, then close; calls in flight end."""
        await self._mirror.aclose()
        await self._way.aclose()
        await self._connection.aclose()

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
        with wrap_bugs():
            message = to_message(request)
            return to_result(await self._way.ask(message, timeout=timeout))


def _seconds(timeout: float) -> float:
    """A deadline is a finite number; one that has passed already is no mistake of the code."""
    if not isinstance(timeout, int | float):
        raise TypeError(f"timeout must be a number of seconds, not {type(timeout).__name__}")
    if not math.isfinite(timeout):
        raise ValueError("timeout must be finite")
    return timeout
