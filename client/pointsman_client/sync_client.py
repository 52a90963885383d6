"""The blocking client: the surface of `RoutingClient` for threads, scripts and WSGI servers."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Self, TypeVar, Unpack

from pointsman.v1 import describe_routing_pb2
from pointsman.v1 import resolve_route_pb2 as resolve_pb

from pointsman_client.arguments import checked_retries, checked_target, seconds, tls_of
from pointsman_client.blocking_connection import BlockingConnection
from pointsman_client.blocking_mirror import BlockingMirror
from pointsman_client.channel import Keepalive, Tls
from pointsman_client.client import DECIDE_TIMEOUT, ROUTE_TIMEOUT
from pointsman_client.connection import Endpoint, wrap_bugs
from pointsman_client.decode import to_description, to_result
from pointsman_client.description import RoutingDescription
from pointsman_client.encode import to_message
from pointsman_client.errors import RoutingError
from pointsman_client.fallback import BlockingCall, BlockingStreamCall
from pointsman_client.fallback.blocking import run_attempts, stream_attempts
from pointsman_client.mirror import MirrorCounts, MirrorLimits
from pointsman_client.model import ApiKind, RouteRequest
from pointsman_client.offered import check_offered
from pointsman_client.purposes import resolve_message, stand_in
from pointsman_client.request_builder import (
    Promptlike,
    RequestFields,
    build_request,
    static_pick_of,
)
from pointsman_client.resolve_codec import to_resolved_route
from pointsman_client.results import Choice, RouteResult
from pointsman_client.routes import Attempt, ResolvedRoute
from pointsman_client.run_affinity import RunAffinity
from pointsman_client.tokens import TokenSource, check_blocking

Answer = TypeVar("Answer")
Chunk = TypeVar("Chunk")


class SyncRoutingClient:
    """Blocking client of one Pointsman service. Open it once, share it among threads, close it.

    It works from any thread, inside any event loop (a call blocks it), and in a child process
    that was forked after the client was made. Arguments, deadlines, errors and answers are those
    of `RoutingClient`; each decision is one call. A token source must not be a coroutine function.
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
        keepalive: Keepalive | None = None,
        mirror: MirrorLimits | None = None,
        options: Mapping[str, int | str] | None = None,
    ) -> None:
        self._timeout = seconds(timeout)
        self._decide_timeout = seconds(decide_timeout)
        self._connection = BlockingConnection(
            Endpoint(
                target=checked_target(target),
                token=check_blocking(token),
                tls=tls_of(tls),
                retries=checked_retries(retries),
                keepalive=keepalive,
                options=options or {},
            )
        )
        self._runs = RunAffinity()
        self._mirror = BlockingMirror(self._route, limits=mirror or MirrorLimits())
        self._process = os.getpid()

    def route(
        self,
        prompt: Promptlike,
        *,
        api_kind: ApiKind | str | None = None,
        timeout: float | None = None,
        **fields: Unpack[RequestFields],
    ) -> RouteResult:
        """Ask which model should serve `prompt`; raises a `RoutingError` without an answer."""
        budget = seconds(self._timeout if timeout is None else timeout)
        request = build_request(prompt, api_kind=api_kind, fields=fields)
        return self._route(request, budget)

    def decide(
        self,
        prompt: Promptlike,
        *,
        api_kind: ApiKind | str | None = None,
        timeout: float | None = None,
        **fields: Unpack[RequestFields],
    ) -> Choice:
        """Like `route`, but answers the static pick, and says why, where `route` would raise.

        Mistakes in the calling code still raise: `TypeError` and `ValueError`.
        """
        budget = seconds(self._decide_timeout if timeout is None else timeout)
        static_pick = static_pick_of(prompt, fields=fields)
        try:
            request = build_request(prompt, api_kind=api_kind, fields=fields)
            result = self._route(request, budget)
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
        """Ask in a background thread, for shadow use; False if dropped or unusable. Never waits."""
        if self._process != os.getpid():
            self._process = os.getpid()
            self._mirror.forget()
        if self._mirror.is_full:
            # Before the body is read: a dropped request should cost nothing.
            return self._mirror.drop()
        try:
            request = build_request(prompt, api_kind=api_kind, fields=fields)
        except RoutingError as error:
            return self._mirror.drop(error.fallback)
        return self._mirror.submit(request)

    @property
    def mirrored(self) -> MirrorCounts:
        """Counts of the mirrored requests so far, by result."""
        return self._mirror.counts

    def resolve(
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
        """Ask which LLM configs should serve `purpose` in this run; raises a `RoutingError`."""
        message = resolve_message(
            purpose,
            run_id,
            profile_override=profile_override,
            prompt=prompt,
            api_kind=api_kind,
            fields=fields,
        )
        return self._resolve(message, seconds(self._timeout if timeout is None else timeout))

    def run_with_fallback(
        self,
        purpose: str,
        run_id: str,
        call: BlockingCall[Answer],
        *,
        timeout: float | None = None,
        otherwise: Sequence[Attempt] = (),
        profile_override: str | None = None,
        prompt: Promptlike | None = None,
        api_kind: ApiKind | str | None = None,
        **fields: Unpack[RequestFields],
    ) -> Answer:
        """Resolve `purpose`, and `call(attempt)` down its attempts until one answers.

        After `timeout` seconds no further attempt is made. A blocking call cannot be cut off: give
        the provider's client a timeout. Everything else is as in `RoutingClient`.
        """
        deadline = None if timeout is None else time.monotonic() + seconds(timeout)
        message = resolve_message(
            purpose,
            run_id,
            profile_override=profile_override,
            prompt=prompt,
            api_kind=api_kind,
            fields=fields,
        )
        route = self._route_of(message, timeout=timeout, otherwise=otherwise)
        return run_attempts(route, call, runs=self._runs, deadline=deadline)

    def stream_with_fallback(
        self,
        purpose: str,
        run_id: str,
        call: BlockingStreamCall[Chunk],
        *,
        timeout: float | None = None,
        otherwise: Sequence[Attempt] = (),
        profile_override: str | None = None,
        prompt: Promptlike | None = None,
        api_kind: ApiKind | str | None = None,
        **fields: Unpack[RequestFields],
    ) -> Iterator[Chunk]:
        """Like `run_with_fallback` for streams: an attempt succeeds with its first chunk."""
        deadline = None if timeout is None else time.monotonic() + seconds(timeout)
        message = resolve_message(
            purpose,
            run_id,
            profile_override=profile_override,
            prompt=prompt,
            api_kind=api_kind,
            fields=fields,
        )
        route = self._route_of(message, timeout=timeout, otherwise=otherwise)
        return stream_attempts(route, call, runs=self._runs, deadline=deadline)

    def describe(self, *, timeout: float | None = None) -> RoutingDescription:
        """Return the configuration in force; raises a `RoutingError`."""
        request = describe_routing_pb2.DescribeRoutingRequest()
        budget = seconds(self._timeout if timeout is None else timeout)
        with wrap_bugs():
            return to_description(self._connection.ask("DescribeRouting", request, timeout=budget))

    def close(self) -> None:
        """Let mirrored requests drain within their bound, then close; calls in flight end."""
        self._mirror.close()
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _route(self, request: RouteRequest, timeout: float) -> RouteResult:
        with wrap_bugs():
            message = to_message(request)
            result = to_result(self._connection.ask("RouteDecision", message, timeout=timeout))
            check_offered(result, request)
            return result

    def _resolve(self, message: resolve_pb.ResolveRouteRequest, timeout: float) -> ResolvedRoute:
        with wrap_bugs():
            return to_resolved_route(self._connection.ask("ResolveRoute", message, timeout=timeout))

    def _route_of(
        self,
        message: resolve_pb.ResolveRouteRequest,
        *,
        timeout: float | None,
        otherwise: Sequence[Attempt],
    ) -> ResolvedRoute:
        budget = self._timeout if timeout is None else min(timeout, self._timeout)
        try:
            return self._resolve(message, budget)
        except RoutingError as error:
            return stand_in(error, message, otherwise=otherwise)
