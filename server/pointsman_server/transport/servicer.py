"""The RPCs: decode, decide, encode."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from pointsman.v1 import describe_routing_pb2, resolve_route_pb2

from pointsman_server.core.description import Description
from pointsman_server.transport.batch import Batches
from pointsman_server.transport.call import SERVICE, CallRunner, Context, RpcError
from pointsman_server.transport.decision_handler import DecisionHandler, PendingDecision
from pointsman_server.transport.describe import to_description
from pointsman_server.transport.ports import Service
from pointsman_server.transport.resolve import to_resolve_request, to_resolve_response
from pointsman_server.transport.stream import StreamRules, Streams
from pointsman_server.transport.wire_parsing import parsed, reader, whole

METHOD = f"{SERVICE}/RouteDecision"
LOOKS = 8
"""Concurrent calls of `DescribeRouting`. They have a separate limit, because operators need them
while the service sheds load; it is low, so that they cannot load the service."""


class RoutingServicer:
    """`pointsman.v1.RoutingService`."""

    def __init__(
        self,
        *,
        rpc: CallRunner,
        service: Callable[[], Service],
        describe: Callable[[], Awaitable[Description]],
        streams: StreamRules = StreamRules(),  # noqa: B008  (a frozen value)
    ) -> None:
        self._rpc = rpc
        self._looks = rpc.beside(limit=LOOKS)
        self._service = service
        self._describe = describe
        self._decisions = DecisionHandler(rpc=rpc, service=service)
        self._streams = Streams(rpc=rpc, decisions=self._decisions, rules=streams)
        self._batches = Batches(rpc=rpc, decisions=self._decisions)

    @property
    def rpc(self) -> CallRunner:
        """The call runner, shared with other services of the server."""
        return self._rpc

    def handler(self) -> grpc.GenericRpcHandler:
        """The handler for a server. Decision RPCs take and return bytes."""
        stream, unary = grpc.stream_stream_rpc_method_handler, grpc.unary_unary_rpc_method_handler
        resolve, describe = resolve_route_pb2, describe_routing_pb2
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                "RouteDecision": unary(self.RouteDecision),
                "StreamRouteDecisions": stream(self.StreamRouteDecisions),
                "BatchRouteDecisions": unary(self.BatchRouteDecisions),
                "ResolveRoute": unary(
                    self.ResolveRoute,
                    request_deserializer=reader(resolve.ResolveRouteRequest),
                    response_serializer=resolve.ResolveRouteResponse.SerializeToString,
                ),
                "DescribeRouting": unary(
                    self.DescribeRouting,
                    request_deserializer=reader(describe.DescribeRoutingRequest),
                    response_serializer=describe.DescribeRoutingResponse.SerializeToString,
                ),
            },
        )

    def end_streams(self) -> None:
        """Stop reading streams; each ends when its decisions in flight are answered."""
        self._streams.end()

    async def RouteDecision(self, wire: bytes, context: Context) -> bytes:  # noqa: N802
        """Decide for one request."""
        rpc = self._rpc
        answer = self._decisions.begin(rpc.origin(METHOD, context), parsed(wire))
        if isinstance(answer, PendingDecision):
            answer = await self._decisions.finish(answer, deadline=rpc.deadline(context))
        if isinstance(answer, RpcError):
            await answer.end(context)
        return answer

    async def StreamRouteDecisions(self, requests: Any, context: Context) -> None:  # noqa: N802
        """Decide for the requests of a stream."""
        await self._streams.serve(requests, context)

    async def BatchRouteDecisions(self, wire: bytes, context: Context) -> bytes:  # noqa: N802
        """Decide for the requests of a batch."""
        return await self._batches.answer(wire, context)

    async def ResolveRoute(  # noqa: N802  (the contract's name)
        self, request: resolve_route_pb2.ResolveRouteRequest | None, context: Context
    ) -> resolve_route_pb2.ResolveRouteResponse:
        """Resolve a purpose to attempts."""

        async def body(deadline: float | None) -> resolve_route_pb2.ResolveRouteResponse:
            asked = to_resolve_request(whole(request, resolve_route_pb2.ResolveRouteRequest))
            resolution = await self._service().resolver.resolve(asked, deadline=deadline)
            return to_resolve_response(asked, resolution)

        return await self._rpc.run(f"{SERVICE}/ResolveRoute", context, body)

    async def DescribeRouting(  # noqa: N802  (the contract's name)
        self, request: describe_routing_pb2.DescribeRoutingRequest | None, context: Context
    ) -> describe_routing_pb2.DescribeRoutingResponse:
        """Describe the configuration in force."""

        async def body(_deadline: float | None) -> describe_routing_pb2.DescribeRoutingResponse:
            whole(request, describe_routing_pb2.DescribeRoutingRequest)
            return to_description(await self._describe())

        return await self._looks.run(f"{SERVICE}/DescribeRouting", context, body)
