"""A fake service for tests of programs that use the client.

It is a real gRPC server on a free port of the loopback, so the client under test runs whole:

    async with FakeService() as fake:
        fake.answer(routed("anthropic/claude-sonnet-4.6"))
        async with RoutingClient(fake.target) as client:
            ...
        assert fake.calls[0].request.caller.user_id == "u-1"

Leaving the context fails if a queued answer was not used, or if a call found no queued answer:
both mean that the test does not test its subject.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NoReturn, Self, TypeVar

import grpc
import grpc.aio
from pointsman.v1 import batch_route_decisions_pb2 as batch_pb
from pointsman.v1 import describe_routing_pb2 as describe_pb
from pointsman.v1 import resolve_route_pb2 as resolve_pb
from pointsman.v1 import route_decision_pb2 as pb
from pointsman.v1 import routing_service_pb2_grpc
from pointsman.v1 import stream_route_decisions_pb2 as stream_pb

from pointsman_client.details import TRAILER
from pointsman_client.fake_answers import (
    Refusal,
    as_result,
    as_status,
    not_routed,
    resolved,
    routed,
)

__all__ = ["FOREVER", "Call", "FakeService", "Refusal", "not_routed", "resolved", "routed"]

_Answer = TypeVar(
    "_Answer",
    pb.RouteDecisionResponse,
    describe_pb.DescribeRoutingResponse,
    resolve_pb.ResolveRouteResponse,
)

FOREVER = float("inf")
"""A delay that outlasts every deadline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One requested decision: the message, its metadata, its deadline in seconds.

    The metadata is that of the call, with a stream's trace context of this decision over it.
    """

    request: pb.RouteDecisionRequest
    metadata: Mapping[str, str]
    timeout: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scripted:
    answer: pb.RouteDecisionResponse | Refusal
    delay: float


class FakeService:
    """A service with scripted answers, in order; see the module."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        """Every requested decision, over any transport, in order of arrival."""
        self.description: describe_pb.DescribeRoutingResponse | Refusal
        self.description = describe_pb.DescribeRoutingResponse(policy_version="fake")
        """The answer of `DescribeRouting`."""
        self.routes: dict[str, resolve_pb.ResolveRouteResponse | Refusal] = {}
        """Answers of `ResolveRoute` by purpose; NOT_FOUND for any other."""
        self.resolutions: list[resolve_pb.ResolveRouteRequest] = []
        """Requests of `ResolveRoute`, in order of arrival."""
        self.target = ""
        """Its address, for `RoutingClient`."""
        self._queue: deque[_Scripted] = deque()
        self._standing: _Scripted | None = None
        self._unexpected = 0
        self._arrival = asyncio.Condition()
        self._server: grpc.aio.Server | None = None

    def answer(self, answer: pb.RouteDecisionResponse | Refusal, *, delay: float = 0.0) -> None:
        """Queue one answer, given `delay` seconds after the request."""
        self._queue.append(_Scripted(answer=answer, delay=delay))

    def always(self, answer: pb.RouteDecisionResponse | Refusal, *, delay: float = 0.0) -> None:
        """Answer this whenever nothing is queued."""
        self._standing = _Scripted(answer=answer, delay=delay)

    async def asked(self, times: int) -> None:
        """Wait until that many decisions have been requested."""
        async with self._arrival:
            await self._arrival.wait_for(lambda: len(self.calls) >= times)

    async def __aenter__(self) -> Self:
        self._server = grpc.aio.server()
        register: Any = routing_service_pb2_grpc.add_RoutingServiceServicer_to_server
        register(_Servicer(self), self._server)
        self.target = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        await self._server.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._server is not None:
            await self._server.stop(grace=None)
        if error is None:
            self._check()

    def _check(self) -> None:
        if self._queue:
            raise AssertionError(f"{len(self._queue)} queued answer(s) were not used")
        if self._unexpected:
            raise AssertionError(f"called {self._unexpected} time(s) with no answer queued")

    async def _note(self, call: Call) -> _Scripted:
        async with self._arrival:
            self.calls.append(call)
            self._arrival.notify_all()
        if self._queue:
            return self._queue.popleft()
        if self._standing is None:
            self._unexpected += 1
            refusal = Refusal(status="FAILED_PRECONDITION", message="no answer was queued")
            return _Scripted(answer=refusal, delay=0.0)
        return self._standing


class _Servicer(routing_service_pb2_grpc.RoutingServiceServicer):
    def __init__(self, fake: FakeService) -> None:
        self._fake = fake

    async def RouteDecision(  # noqa: N802  # the contract's name
        self, request: pb.RouteDecisionRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> pb.RouteDecisionResponse:
        answer = await self._answer(request, context=context, timeout=context.time_remaining())
        return await _give(answer, context=context)

    async def StreamRouteDecisions(  # noqa: N802  # the contract's name
        self, _requests: Any, context: grpc.aio.ServicerContext[Any, Any]
    ) -> None:
        writing = asyncio.Lock()

        async def give(asked: stream_pb.StreamRouteDecisionsRequest) -> None:
            timeout = asked.timeout_ms / 1_000 if asked.timeout_ms else None
            trace = {"traceparent": asked.traceparent} if asked.traceparent else {}
            answer = await self._answer(
                asked.request, context=context, timeout=timeout, trace=trace
            )
            name = asked.correlation_id
            async with writing:
                await context.write(
                    stream_pb.StreamRouteDecisionsResponse(correlation_id=name, **as_result(answer))
                )

        async with asyncio.TaskGroup() as answers:
            while (asked := await context.read()) is not grpc.aio.EOF:
                answers.create_task(give(asked))

    async def BatchRouteDecisions(  # noqa: N802  # the contract's name
        self,
        request: batch_pb.BatchRouteDecisionsRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> batch_pb.BatchRouteDecisionsResponse:
        timeout = context.time_remaining()
        answers = await asyncio.gather(
            *(self._answer(each, context=context, timeout=timeout) for each in request.requests)
        )
        return batch_pb.BatchRouteDecisionsResponse(
            results=[batch_pb.BatchRouteDecisionsResult(**as_result(each)) for each in answers]
        )

    async def _answer(
        self,
        request: pb.RouteDecisionRequest,
        *,
        context: grpc.aio.ServicerContext[Any, Any],
        timeout: float | None,  # noqa: ASYNC109  # what the caller gave, to be noted
        trace: Mapping[str, str] | None = None,
    ) -> pb.RouteDecisionResponse | Refusal:
        metadata = {key: str(value) for key, value in context.invocation_metadata() or ()}
        call = Call(request=request, metadata=metadata | dict(trace or {}), timeout=timeout)
        scripted = await self._fake._note(call)  # noqa: SLF001  # two halves of one thing
        await asyncio.sleep(scripted.delay)
        return scripted.answer

    async def ResolveRoute(  # noqa: N802  # the contract's name
        self,
        request: resolve_pb.ResolveRouteRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> resolve_pb.ResolveRouteResponse:
        self._fake.resolutions.append(request)
        unknown = Refusal(status="NOT_FOUND", reason="UNKNOWN_PURPOSE")
        answer = self._fake.routes.get(request.purpose, unknown)
        if isinstance(answer, resolve_pb.ResolveRouteResponse):
            echo = resolve_pb.ResolveRouteResponse(purpose=request.purpose, run_id=request.run_id)
            echo.MergeFrom(answer)
            answer = echo
        return await _give(answer, context=context)

    async def DescribeRouting(  # noqa: N802  # the contract's name
        self,
        request: describe_pb.DescribeRoutingRequest,  # noqa: ARG002  # it is empty
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> describe_pb.DescribeRoutingResponse:
        return await _give(self._fake.description, context=context)


async def _give(
    answer: _Answer | Refusal, *, context: grpc.aio.ServicerContext[Any, Any]
) -> _Answer:
    if not isinstance(answer, Refusal):
        return answer
    return await _refuse(answer, context=context)


async def _refuse(refusal: Refusal, *, context: grpc.aio.ServicerContext[Any, Any]) -> NoReturn:
    code = grpc.StatusCode[refusal.status]
    await context.abort(code, refusal.message, trailing_metadata=((TRAILER, as_status(refusal)),))
