# ruff: noqa: ASYNC109  # a timeout is a deadline that travels with the call
"""The part of the clients that is about purposes: `resolve` and the forms of fallback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TypeVar

from pointsman.v1 import resolve_route_pb2 as pb

from pointsman_client.connection import Connection, wrap_bugs
from pointsman_client.errors import InvalidRequest, NotFound, RoutingError
from pointsman_client.fallback import Call, StreamCall
from pointsman_client.fallback.asynchronous import run_attempts, stream_attempts
from pointsman_client.model import ApiKind
from pointsman_client.request_builder import Promptlike, RequestFields, build_request
from pointsman_client.resolve_codec import to_resolve_message, to_resolved_route
from pointsman_client.routes import Attempt, ResolvedRoute
from pointsman_client.run_affinity import RunAffinity

Answer = TypeVar("Answer")
Chunk = TypeVar("Chunk")


class Purposes:
    """Resolves purposes over `connection`, and falls back along their routes.

    `timeout` bounds one `ResolveRoute`, in seconds.
    """

    def __init__(self, connection: Connection, *, timeout: float, runs: RunAffinity) -> None:
        self._connection = connection
        self._timeout = timeout
        self._runs = runs

    async def resolve(
        self, message: pb.ResolveRouteRequest, *, timeout: float | None = None
    ) -> ResolvedRoute:
        """See `RoutingClient.resolve`."""
        budget = self._timeout if timeout is None else timeout
        with wrap_bugs():
            answer = await self._connection.ask("ResolveRoute", message, timeout=budget)
            return to_resolved_route(answer)

    async def run(
        self,
        message: pb.ResolveRouteRequest,
        call: Call[Answer],
        *,
        timeout: float | None,
        attempt_timeout: float | None,
        otherwise: Sequence[Attempt],
    ) -> Answer:
        """See `RoutingClient.run_with_fallback`."""
        deadline = _deadline(timeout)
        route = await self._route(message, timeout=timeout, otherwise=otherwise)
        return await run_attempts(
            route, call, runs=self._runs, deadline=deadline, attempt_timeout=attempt_timeout
        )

    async def stream(
        self,
        message: pb.ResolveRouteRequest,
        call: StreamCall[Chunk],
        *,
        timeout: float | None,
        attempt_timeout: float | None,
        otherwise: Sequence[Attempt],
    ) -> AsyncIterator[Chunk]:
        """See `RoutingClient.stream_with_fallback`."""
        deadline = _deadline(timeout)
        route = await self._route(message, timeout=timeout, otherwise=otherwise)
        async for chunk in stream_attempts(
            route, call, runs=self._runs, deadline=deadline, attempt_timeout=attempt_timeout
        ):
            yield chunk

    async def _route(
        self,
        message: pb.ResolveRouteRequest,
        *,
        timeout: float | None,
        otherwise: Sequence[Attempt],
    ) -> ResolvedRoute:
        try:
            budget = None if timeout is None else min(timeout, self._timeout)
            return await self.resolve(message, timeout=budget)
        except RoutingError as error:
            return stand_in(error, message, otherwise=otherwise)


def resolve_message(
    purpose: str,
    run_id: str,
    *,
    profile_override: str | None,
    prompt: Promptlike | None,
    api_kind: ApiKind | str | None,
    fields: RequestFields,
) -> pb.ResolveRouteRequest:
    """Build the request; `TypeError` for fields without a prompt to decide from."""
    if prompt is None and (fields or api_kind is not None):
        raise TypeError("fields of a decision need a prompt")
    ask = None if prompt is None else build_request(prompt, api_kind=api_kind, fields=fields)
    with wrap_bugs():
        return to_resolve_message(purpose, run_id, profile_override=profile_override, ask=ask)


def stand_in(
    error: RoutingError, message: pb.ResolveRouteRequest, *, otherwise: Sequence[Attempt]
) -> ResolvedRoute:
    """Return a route of `otherwise` where the service did not answer; else raise `error`."""
    # A mistake of the caller or of the policy file, which no fallback should hide.
    if isinstance(error, InvalidRequest | NotFound) or not otherwise:
        raise error
    return ResolvedRoute(purpose=message.purpose, run_id=message.run_id, attempts=tuple(otherwise))


def _deadline(timeout: float | None) -> float | None:
    return None if timeout is None else asyncio.get_running_loop().time() + timeout
