"""The RPCs as a Connect application: the same servicer, reached over HTTP.

Connect and gRPC-Web come from `connectrpc`; this module adapts its calls to the servicer's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from typing import Any, cast

from connectrpc.method import IdempotencyLevel, MethodInfo, StreamType
from connectrpc.request import RequestContext
from connectrpc.server import ConnectASGIApplication, Endpoint
from google.protobuf.message import Message
from pointsman.v1 import (
    batch_route_decisions_pb2,
    describe_routing_pb2,
    resolve_route_pb2,
    route_decision_pb2,
    stream_route_decisions_pb2,
)

from pointsman_server.transport.call import SERVICE
from pointsman_server.transport.http.call_context import Aborted, CallContext, StreamContext
from pointsman_server.transport.http.codecs import BinaryCodec, JsonCodec
from pointsman_server.transport.http.errors import connect_error
from pointsman_server.transport.servicer import RoutingServicer

MESSAGE_BYTES = 4 * 1024 * 1024
"""The longest message, before and after decompression: gRPC's bound."""

CERTIFICATE: ContextVar[dict[str, list[bytes]]] = ContextVar("certificate")
"""Names of the client's verified certificate, set for the call that runs in this context."""

Request = RequestContext[Any, Any]


class RoutingApplication(ConnectASGIApplication[RoutingServicer]):
    """`pointsman.v1.RoutingService` over Connect and gRPC-Web."""

    def __init__(self, servicer: RoutingServicer) -> None:
        super().__init__(
            service=servicer,
            endpoints=_endpoints,
            read_max_bytes=MESSAGE_BYTES,
            codecs=[BinaryCodec(), JsonCodec()],
        )

    @property
    def path(self) -> str:
        """The prefix of the RPCs' paths."""
        return f"/{SERVICE}"


def _endpoints(servicer: RoutingServicer) -> dict[str, Any]:
    decide, batch = route_decision_pb2, batch_route_decisions_pb2
    resolve, describe, stream = (
        resolve_route_pb2, describe_routing_pb2, stream_route_decisions_pb2,
    )  # fmt: skip
    found = [
        _unary(
            "RouteDecision",
            decide.RouteDecisionRequest,
            decide.RouteDecisionResponse,
            _from_bytes(servicer.RouteDecision, decide.RouteDecisionResponse),
        ),
        _unary(
            "BatchRouteDecisions",
            batch.BatchRouteDecisionsRequest,
            batch.BatchRouteDecisionsResponse,
            _from_bytes(servicer.BatchRouteDecisions, batch.BatchRouteDecisionsResponse),
        ),
        _unary(
            "ResolveRoute",
            resolve.ResolveRouteRequest,
            resolve.ResolveRouteResponse,
            servicer.ResolveRoute,
        ),
        _unary(
            "DescribeRouting",
            describe.DescribeRoutingRequest,
            describe.DescribeRoutingResponse,
            servicer.DescribeRouting,
            # May be requested by GET.
            idempotency=IdempotencyLevel.NO_SIDE_EFFECTS,
        ),
        Endpoint.bidi_stream(
            method=_method(
                "StreamRouteDecisions",
                stream.StreamRouteDecisionsRequest,
                stream.StreamRouteDecisionsResponse,
                StreamType.BIDI_STREAM,
            ),
            function=_streaming(servicer, stream.StreamRouteDecisionsResponse),
        ),
    ]
    return {f"/{SERVICE}/{endpoint.method.name}": endpoint for endpoint in found}


def _unary(
    name: str,
    request: type[Message],
    response: type[Message],
    call: Callable[[Any, Any], Awaitable[Message]],
    *,
    idempotency: IdempotencyLevel = IdempotencyLevel.UNKNOWN,
) -> Any:
    async def function(message: Message, request_context: Request) -> Message:
        context = CallContext(**_call(request_context))
        try:
            return await call(message, context)
        except Aborted as end:
            raise connect_error(end.code, end.details, end.trailers) from None

    method = _method(name, request, response, StreamType.UNARY, idempotency)
    return Endpoint.unary(method=method, function=function)


def _from_bytes(
    call: Callable[[bytes, Any], Awaitable[bytes]], response: type[Message]
) -> Callable[[Message, Any], Awaitable[Message]]:
    """Adapt an RPC that takes and gives bytes."""

    async def adapted(message: Message, context: Any) -> Message:
        return response.FromString(await call(message.SerializeToString(), context))

    return adapted


def _streaming(
    servicer: RoutingServicer, response: type[Message]
) -> Callable[[AsyncIterator[Message], Request], AsyncIterator[Message]]:
    async def function(
        messages: AsyncIterator[Message], request_context: Request
    ) -> AsyncIterator[Message]:
        context = StreamContext(messages, **_call(request_context))
        serving = asyncio.create_task(servicer.StreamRouteDecisions(None, cast("Any", context)))
        try:
            async for wire in context.responses(serving):
                yield response.FromString(wire)
        except Aborted as end:
            raise connect_error(end.code, end.details, end.trailers) from None
        except ExceptionGroup:
            if context.broken is None:
                raise
            raise context.broken from None

    return function


def _method(
    name: str,
    request: type[Message],
    response: type[Message],
    kind: StreamType,
    idempotency: IdempotencyLevel = IdempotencyLevel.UNKNOWN,
) -> MethodInfo[Any, Any]:
    return MethodInfo(
        name=name,
        service_name=SERVICE,
        input=request,
        output=response,
        idempotency_level=idempotency,
        stream_type=kind,
    )


def _call(request: Request) -> dict[str, Any]:
    left = request.timeout_ms
    return {
        "metadata": tuple(request.request_headers.allitems()),
        "seconds": None if left is None else left / 1_000,
        "peer": request.client_address or "",
        "certificate": CERTIFICATE.get({}),
    }
