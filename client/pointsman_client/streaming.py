# ruff: noqa: ASYNC109  # a timeout is a decision's deadline: it travels with it
"""Decisions over one long stream, which is reopened when it breaks."""

from __future__ import annotations

import asyncio
import itertools
from contextvars import Context
from typing import Any

import grpc.aio
from pointsman.v1 import route_decision_pb2 as pb
from pointsman.v1 import stream_route_decisions_pb2 as stream_pb

from pointsman_client.connection import Connection, wrap_bugs
from pointsman_client.errors import ClientClosed, RoutingError, ServiceFault, Unavailable
from pointsman_client.pending_decision import PendingDecision, enqueue

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 0.2
"""Seconds between a stream that answered nothing and the next: those of a call's retries."""

TOKEN_TIMEOUT = 5.0
"""Seconds that the token source gets when a stream is opened."""

_ENDED = "STREAM_ENDED"
_UINT32 = 2**32 - 1


class Streaming:
    """Owns its stream: it is opened by the first decision and ends with `aclose`.

    When a stream breaks, unanswered decisions are sent again on the next one: deciding twice is
    harmless. After a stream that answered something, or that the service ended on purpose, the
    resend does not count as a retry. After one that answered nothing, a decision is sent again up
    to `retries` times, like a unary call, and not at all while no stream answers, so that an
    outage delays nobody.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._names = itertools.count(1)
        self._asked: dict[str, PendingDecision] = {}
        """Unanswered decisions by correlation id, in order."""
        self._unsent: dict[str, PendingDecision] = {}
        """Those that were not sent on the present stream."""
        self._more = asyncio.Event()
        self._answered = 0
        self._up = True
        """Whether the latest stream answered; a client begins in hope."""
        self._keeping: asyncio.Task[None] | None = None
        self._closed = False

    async def ask(
        self, message: pb.RouteDecisionRequest, *, timeout: float
    ) -> pb.RouteDecisionResponse:
        """See `transports.DecisionTransport`."""

        async def send(left: float) -> pb.RouteDecisionResponse:
            return await self._send(message, timeout=left)

        return await self._connection.patiently(send, timeout=timeout)

    async def aclose(self) -> None:
        """See `transports.DecisionTransport`."""
        self._closed = True
        for asked in self._asked.values():
            asked.fail(ClientClosed("the client was closed during the call"))
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)

    async def _send(
        self, message: pb.RouteDecisionRequest, *, timeout: float
    ) -> pb.RouteDecisionResponse:
        if self._closed:
            raise ClientClosed("the client is closed")
        asked = enqueue(message, timeout=timeout, waiting=len(self._asked))
        asked.retries = self._connection.retries if self._up else 0
        name = str(next(self._names))
        self._asked[name] = self._unsent[name] = asked
        self._more.set()
        if self._keeping is None or self._keeping.done():
            # An empty context: the first decision's would live as long as the stream.
            loop = asyncio.get_running_loop()
            self._keeping = loop.create_task(
                self._keep(), name="pointsman-stream", context=Context()
            )
        try:
            return await asked.settled()
        finally:
            del self._asked[name]
            self._unsent.pop(name, None)

    async def _keep(self) -> None:
        """One stream after the other, as long as somebody waits for an answer."""
        pause = 0.0
        while unanswered := {n: a for n, a in self._asked.items() if not a.answer.done()}:
            self._unsent, before = unanswered, self._answered
            await asyncio.sleep(pause)
            try:
                with wrap_bugs():
                    await self._stream()
            except RoutingError as error:
                answered = self._answered > before
                self._up = answered or error.reason == _ENDED
                pause = 0.0 if answered else min(max(2 * pause, FIRST_PAUSE), LONGEST_PAUSE)
                if not self._up:
                    self._give_up(_as_break(error))

    def _give_up(self, error: RoutingError) -> None:
        """Fail the decisions without retries after a stream that answered nothing."""
        for asked in self._asked.values():
            if isinstance(error, Unavailable) and asked.retries:
                asked.retries -= 1
            else:
                asked.fail(error)

    async def _stream(self) -> None:
        """Open one, send and receive until it ends, which is an error."""
        async with self._connection.stream("StreamRouteDecisions", timeout=TOKEN_TIMEOUT) as call:
            sending = asyncio.create_task(self._write(call))
            # A sender that fails on a stream which is well would leave everybody waiting.
            sending.add_done_callback(lambda _: call.cancel())
            try:
                while (answer := await call.read()) is not grpc.aio.EOF:
                    self._answered += 1
                    asked = self._asked.get(answer.correlation_id)
                    if asked is not None:
                        asked.settle(answer)
            except asyncio.CancelledError:
                if sending.done() and not sending.cancelled():
                    await sending  # it failed, and ended the call
                raise
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
        raise Unavailable("the service closed the stream")

    async def _write(self, call: Any) -> None:
        """Send unsent and new decisions; waits while the service does not read."""
        clock = asyncio.get_running_loop().time
        while True:
            while self._unsent:
                name = next(iter(self._unsent))
                asked = self._unsent.pop(name)
                left = asked.deadline - clock()
                if left > 0 and not asked.answer.done():
                    await call.write(_item(name, asked, left))
            self._more.clear()
            await self._more.wait()


def _as_break(error: RoutingError) -> RoutingError:
    """`error` as the end of a stream.

    gRPC reports some connections that break as UNKNOWN or INTERNAL ("Stream removed"). A fault of
    the service carries its reason; one without is the way to it that broke.
    """
    if isinstance(error, ServiceFault) and error.reason is None:
        return Unavailable(str(error), facts=error.facts)
    return error


def _item(name: str, asked: PendingDecision, left: float) -> stream_pb.StreamRouteDecisionsRequest:
    return stream_pb.StreamRouteDecisionsRequest(
        correlation_id=name,
        request=asked.message,
        timeout_ms=max(1, min(round(left * 1_000), _UINT32)),
        **dict(asked.trace),
    )
