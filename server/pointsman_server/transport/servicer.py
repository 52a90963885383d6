"""The RPCs: decode, decide, encode."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

import grpc
from pointsman.v1 import describe_routing_pb2, resolve_route_pb2
from pointsman.v1 import route_decision_pb2 as pb

from pointsman_server.core.description import Description
from pointsman_server.core.model import Outcome, RouteRequest
from pointsman_server.core.routes import Resolution, ResolveRequest
from pointsman_server.transport.decode import checked, parsed, to_request
from pointsman_server.transport.describe import to_description
from pointsman_server.transport.encode import to_response
from pointsman_server.transport.resolve import to_resolve_request, to_resolve_response
from pointsman_server.transport.rpc import SERVICE, Context, Rpc


class Decides(Protocol):
    """Decides one request."""

    async def decide(
        self, request: RouteRequest, *, deadline: float | None = None, drawn: bool | None = None
    ) -> Outcome:
        """Answer one request; `drawn` says whether the decision log drew it already."""
        ...


class Resolves(Protocol):
    """The same for purposes."""

    async def resolve(
        self, request: ResolveRequest, *, deadline: float | None = None
    ) -> Resolution:
        """Answer one request."""
        ...


class Answers(Protocol):
    """The short way: what is kept, as bytes."""

    def answer(self, message: pb.RouteDecisionRequest) -> bytes | None:
        """The response, or `None` where the request has to be decided."""
        ...


class Service(Protocol):
    """What is behind the RPCs: under one version of the policy file, swapped as a whole."""

    def draws(self) -> bool | None:
        """Whether the decision log wants the next call, which then goes the long way.

        `None` leaves it to the log itself.
        """
        ...

    @property
    def lane(self) -> Answers:
        """Answers what is kept."""
        ...

    @property
    def decider(self) -> Decides:
        """Decides the rest."""
        ...

    @property
    def resolver(self) -> Resolves:
        """Resolves purposes."""
        ...


class RoutingServicer:
    """`pointsman.v1.RoutingService`."""

    def __init__(
        self,
        *,
        rpc: Rpc,
        service: Callable[[], Service],
        describe: Callable[[], Awaitable[Description]],
    ) -> None:
        self._rpc = rpc
        self._service = service
        self._describe = describe

    def handler(self) -> grpc.GenericRpcHandler:
        """What a server is given. `RouteDecision` gets bytes and gives bytes."""
        unary = grpc.unary_unary_rpc_method_handler
        resolve, describe = resolve_route_pb2, describe_routing_pb2
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                "RouteDecision": unary(self.RouteDecision),
                "ResolveRoute": unary(
                    self.ResolveRoute,
                    request_deserializer=resolve.ResolveRouteRequest.FromString,
                    response_serializer=resolve.ResolveRouteResponse.SerializeToString,
                ),
                "DescribeRouting": unary(
                    self.DescribeRouting,
                    request_deserializer=describe.DescribeRoutingRequest.FromString,
                    response_serializer=describe.DescribeRoutingResponse.SerializeToString,
                ),
            },
        )

    async def RouteDecision(self, wire: bytes, context: Context) -> bytes:  # noqa: N802
        """Decide for one request."""
        service, message = self._service(), parsed(wire)
        drawn = service.draws()

        def at_once() -> bytes | None:
            return service.lane.answer(message) if message is not None else None

        async def body(deadline: float | None) -> bytes:
            request = to_request(checked(message))
            outcome = await service.decider.decide(request, deadline=deadline, drawn=drawn)
            return to_response(outcome).SerializeToString()

        return await self._rpc.run(
            "RouteDecision", context, body, at_once=None if drawn else at_once
        )

    async def ResolveRoute(  # noqa: N802  (the contract's name)
        self, request: resolve_route_pb2.ResolveRouteRequest, context: Context
    ) -> resolve_route_pb2.ResolveRouteResponse:
        """Say what to try for a purpose."""

        async def body(deadline: float | None) -> resolve_route_pb2.ResolveRouteResponse:
            asked = to_resolve_request(request)
            resolution = await self._service().resolver.resolve(asked, deadline=deadline)
            return to_resolve_response(asked, resolution)

        return await self._rpc.run("ResolveRoute", context, body)

    async def DescribeRouting(  # noqa: N802  (the contract's name)
        self, _request: describe_routing_pb2.DescribeRoutingRequest, context: Context
    ) -> describe_routing_pb2.DescribeRoutingResponse:
        """Say what is in force."""

        async def body(_deadline: float | None) -> describe_routing_pb2.DescribeRoutingResponse:
            return to_description(await self._describe())

        return await self._rpc.run("DescribeRouting", context, body)
