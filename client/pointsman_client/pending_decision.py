# a timeout is a decision's deadline: it travels with it
"""One decision that shares its call with others: request, deadline and waiting caller."""

from __future__ import annotations

import asyncio
import copy
from dataclasses import dataclass

from pointsman.v1 import route_decision_pb2 as pb
from pointsman.v1.batch_route_decisions_pb2 import BatchRouteDecisionsResult
from pointsman.v1.stream_route_decisions_pb2 import StreamRouteDecisionsResponse

from pointsman_client.connection import Metadata
from pointsman_client.errors import DeadlineExceeded, Overloaded, RoutingError, ServiceFault
from pointsman_client.statuses import error_in
from pointsman_client.trace import trace_metadata

MOST_WAITING = 10_000
"""Decisions of one client that may wait for an answer; further ones get the static pick."""


@dataclass(slots=True, kw_only=True, eq=False)
class PendingDecision:
    """One decision that somebody waits for; `deadline` is on the loop's clock."""

    message: pb.RouteDecisionRequest
    deadline: float
    trace: Metadata
    answer: asyncio.Future[pb.RouteDecisionResponse]
    retries: int = 0
    """The remaining retries after broken streams."""

    async def settled(self) -> pb.RouteDecisionResponse:
        """The answer; `DeadlineExceeded` if it does not come in time."""
        try:
            async with asyncio.timeout_at(self.deadline):
                return await self.answer
        except TimeoutError:
            raise DeadlineExceeded("no answer came in time") from None

    def settle(self, result: BatchRouteDecisionsResult | StreamRouteDecisionsResponse) -> None:
        """Set the result from the service, unless the caller has left."""
        if self.answer.done():
            return
        kind = result.WhichOneof("result")
        if kind == "response":
            self.answer.set_result(result.response)
        elif kind == "status":
            self.answer.set_exception(error_in(result.status))
        else:
            self.answer.set_exception(ServiceFault("an answer has neither response nor status"))

    def fail(self, error: RoutingError) -> None:
        """Hand over why there is no answer; a copy, since each waiting caller raises its own."""
        if not self.answer.done():
            self.answer.set_exception(copy.copy(error))


def enqueue(message: pb.RouteDecisionRequest, *, timeout: float, waiting: int) -> PendingDecision:
    """A decision to be sent; `Overloaded` where `waiting` others are too many already."""
    if waiting >= MOST_WAITING:
        raise Overloaded(f"{waiting} decisions wait for an answer already")
    loop = asyncio.get_running_loop()
    return PendingDecision(
        message=message,
        deadline=loop.time() + timeout,
        trace=trace_metadata(),
        answer=loop.create_future(),
    )
