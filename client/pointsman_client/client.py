# ruff: noqa: ASYNC109  # a timeout is an RPC's deadline: it travels with the call
"""The client: one channel, three ways to ask.

`route` raises what went wrong, `decide` answers the static pick instead, `mirror` asks in the
background and answers nobody. `_ask` is the way of one call: token, metadata, call, pushback.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self, Unpack

import grpc
import grpc.aio
from pointsman.v1 import describe_routing_pb2, routing_service_pb2_grpc

from pointsman_client.answers import Choice, RouteResult
from pointsman_client.asking import Promptlike, RequestFields, build_request, static_pick_of
from pointsman_client.channel import Keepalive, Tls, open_channel
from pointsman_client.decode import to_description, to_result
from pointsman_client.description import RoutingDescription
from pointsman_client.encode import to_message
from pointsman_client.errors import (
    ClientClosed,
    ClientFault,
    DeadlineExceeded,
    Overloaded,
    RoutingError,
)
from pointsman_client.mirror import Mirror, MirrorCounts, MirrorLimits
from pointsman_client.model import ApiKind, RouteRequest
from pointsman_client.statuses import error_from
from pointsman_client.tokens import TokenSource, bearer
from pointsman_client.trace import trace_metadata

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
    service that says when to come back is asked again then, if the deadline allows.
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
        self._target = target
        self._token = token
        self._tls = Tls() if tls is True else (tls or None)
        self._timeout = _seconds(timeout)
        self._decide_timeout = _seconds(decide_timeout)
        if retries < 0:
            raise ValueError("retries must be 0 or more")
        self._retries = retries
        self._keepalive = keepalive
        self._options = options or {}
        self._channel: grpc.aio.Channel | None = None
        self._stub: Any = None
        self._closed = False
        self._mirror = Mirror(self._route, limits=mirror)

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

    async def describe(self, *, timeout: float | None = None) -> RoutingDescription:
        """Ask what is in force; raises a `RoutingError`."""
        request = describe_routing_pb2.DescribeRoutingRequest()
        budget = _seconds(self._timeout if timeout is None else timeout)
        with _faults_named():
            return to_description(await self._ask("DescribeRouting", request, timeout=budget))

    async def aclose(self) -> None:
        """Let mirrored requests drain within their bound, then close; calls in flight end."""
        await self._mirror.aclose()
        self._closed = True
        if self._channel is not None:
            await self._channel.close()

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
        with _faults_named():
            message = to_message(request)
            return to_result(await self._ask("RouteDecision", message, timeout=timeout))

    async def _ask(self, rpc: str, message: Any, *, timeout: float) -> Any:
        """Ask until there is an answer or no time; a service that pushes back is asked later."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + timeout
        pushbacks = 0
        while True:
            try:
                return await self._call(rpc, message, timeout=deadline - clock())
            except Overloaded as error:
                pause = error.retry_after
                if pause is None or pushbacks == self._retries or clock() + pause >= deadline:
                    raise
            pushbacks += 1
            await asyncio.sleep(pause)

    async def _call(self, rpc: str, message: Any, *, timeout: float) -> Any:
        """One call. Whatever goes wrong becomes a `RoutingError`, without frames of gRPC."""
        if timeout <= 0:
            raise DeadlineExceeded("no time was left for the call")
        try:
            async with asyncio.timeout(timeout):
                authorization = await bearer(self._token)
            metadata = trace_metadata()
            if authorization is not None:
                metadata += (("authorization", authorization),)
            call = getattr(self._open(), rpc)(message, timeout=timeout, metadata=metadata)
            return await call
        except grpc.aio.AioRpcError as failure:
            raise error_from(failure) from None
        except TimeoutError:
            raise DeadlineExceeded("the token source took too long") from None
        except asyncio.CancelledError:
            # Closing the channel cancels its calls; that is no cancellation of our caller.
            task = asyncio.current_task()
            if self._closed and task is not None and not task.cancelling():
                raise ClientClosed("the client was closed during the call") from None
            raise

    def _open(self) -> Any:
        if self._closed:
            raise ClientClosed("the client is closed")
        if self._channel is None:
            self._channel = open_channel(
                self._target,
                tls=self._tls,
                keepalive=self._keepalive,
                retries=self._retries,
                options=self._options,
            )
            stub: Any = routing_service_pb2_grpc.RoutingServiceStub
            self._stub = stub(self._channel)
        return self._stub


def _seconds(timeout: float) -> float:
    """A deadline is a finite number; one that has passed already is no mistake of the code."""
    if not isinstance(timeout, int | float):
        raise TypeError(f"timeout must be a number of seconds, not {type(timeout).__name__}")
    if not math.isfinite(timeout):
        raise ValueError("timeout must be finite")
    return timeout


@contextmanager
def _faults_named() -> Iterator[None]:
    """The last resort: a bug on the way of a call becomes a `ClientFault` with its cause."""
    try:
        yield
    except RoutingError:
        raise
    except Exception as error:
        raise ClientFault(f"unexpected {type(error).__name__}") from error
