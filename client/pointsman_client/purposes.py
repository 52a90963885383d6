# ruff: noqa: ASYNC109  # a timeout is a deadline that travels with the call
"""The part of `RoutingClient` that is about purposes: `resolve` and `run_with_fallback`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TypeVar, Unpack

from pointsman_client.connection import Connection, wrap_bugs
from pointsman_client.errors import InvalidRequest, NotFound, RoutingError
from pointsman_client.fallback import Call, run_attempts
from pointsman_client.model import ApiKind
from pointsman_client.request_builder import Promptlike, RequestFields, build_request
from pointsman_client.resolve_codec import to_resolve_message, to_resolved_route
from pointsman_client.routes import Attempt, ResolvedRoute
from pointsman_client.run_affinity import RunAffinity

Answer = TypeVar("Answer")


class Purposes:
    """Asks for routes, and goes down them. `timeout` is of one question, in seconds."""

    def __init__(
        self,
        connection: Connection,
        *,
        timeout: float,
    ) -> None:
        self._connection = connection
        self._timeout = timeout
        self._runs = RunAffinity()

    async def resolve(
        self,
        purpose: str,
        run_id: str,
        *,
        profile_override: str | None,
        prompt: Promptlike | None,
        api_kind: ApiKind | str | None,
        timeout: float | None,
        fields: RequestFields,
    ) -> ResolvedRoute:
        """See `RoutingClient.resolve`."""
        if prompt is None and (fields or api_kind is not None):
            raise TypeError("what is to be decided from needs a prompt")
        ask = None if prompt is None else build_request(prompt, api_kind=api_kind, fields=fields)
        budget = self._timeout if timeout is None else timeout
        with wrap_bugs():
            message = to_resolve_message(
                purpose, run_id, profile_override=profile_override, ask=ask
            )
            answer = await self._connection.ask("ResolveRoute", message, timeout=budget)
            return to_resolved_route(answer)

    async def run_with_fallback(
        self,
        purpose: str,
        run_id: str,
        call: Call[Answer],
        *,
        timeout: float | None,
        attempt_timeout: float | None,
        otherwise: Sequence[Attempt],
        profile_override: str | None,
        prompt: Promptlike | None,
        api_kind: ApiKind | str | None,
        **fields: Unpack[RequestFields],
    ) -> Answer:
        """See `RoutingClient.run_with_fallback`."""
        now = asyncio.get_running_loop().time()
        deadline = None if timeout is None else now + timeout
        try:
            route = await self.resolve(
                purpose,
                run_id,
                profile_override=profile_override,
                prompt=prompt,
                api_kind=api_kind,
                timeout=None if timeout is None else min(timeout, self._timeout),
                fields=fields,
            )
        except (InvalidRequest, NotFound):
            raise  # a mistake of the caller or of the policy file, which no fallback should hide
        except RoutingError:
            if not otherwise:
                raise
            route = ResolvedRoute(purpose=purpose, run_id=run_id, attempts=tuple(otherwise))
        return await run_attempts(
            route, call, runs=self._runs, deadline=deadline, attempt_timeout=attempt_timeout
        )
