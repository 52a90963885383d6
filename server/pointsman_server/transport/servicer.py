"""The RPCs: decode, decide, encode."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from pointsman.v1 import describe_routing_pb2, route_decision_pb2, routing_service_pb2_grpc

from pointsman_server.core.description import Description
from pointsman_server.core.model import Outcome, RouteRequest
from pointsman_server.transport.decode import to_request
from pointsman_server.transport.describe import to_description
from pointsman_server.transport.encode import to_response
from pointsman_server.transport.rpc import Context, Rpc


class Decides(Protocol):
    """The service behind the RPCs; swapped as a whole when the policy file changes."""

    async def decide(self, request: RouteRequest, *, deadline: float | None = None) -> Outcome:
        """Answer one request."""
        ...


class RoutingServicer(routing_service_pb2_grpc.RoutingServiceServicer):
    """`pointsman.v1.RoutingService`."""

    def __init__(
        self,
        *,
        rpc: Rpc,
        decider: Callable[[], Decides],
        describe: Callable[[], Awaitable[Description]],
    ) -> None:
        self._rpc = rpc
        self._decider = decider
        self._describe = describe

    async def RouteDecision(  # noqa: N802  (the contract's name)
        self, request: route_decision_pb2.RouteDecisionRequest, context: Context
    ) -> route_decision_pb2.RouteDecisionResponse:
        """Decide for one request."""

        async def body(deadline: float | None) -> route_decision_pb2.RouteDecisionResponse:
            outcome = await self._decider().decide(to_request(request), deadline=deadline)
            return to_response(outcome)

        return await self._rpc.run("RouteDecision", context, body)

    async def DescribeRouting(  # noqa: N802  (the contract's name)
        self, _request: describe_routing_pb2.DescribeRoutingRequest, context: Context
    ) -> describe_routing_pb2.DescribeRoutingResponse:
        """Say what is in force."""

        async def body(_deadline: float | None) -> describe_routing_pb2.DescribeRoutingResponse:
            return to_description(await self._describe())

        return await self._rpc.run("DescribeRouting", context, body)
