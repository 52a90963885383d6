"""One decision, by each way of asking: a call of its own, a stream, a batch."""

from __future__ import annotations

from typing import Any, Protocol

import grpc
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status
from pointsman.v1 import batch_route_decisions_pb2 as batch_pb
from pointsman.v1 import route_decision_pb2 as pb
from pointsman.v1 import stream_route_decisions_pb2 as stream_pb
from pointsman.v1.call_status_pb2 import CallStatus
from pointsman_server.lib.protobuf_wire import field

SERVICE = "/pointsman.v1.RoutingService"


class Ask(Protocol):
    """Asks for one decision by its bytes; raises `AioRpcError` where it is refused."""

    async def __call__(self, channel: grpc.aio.Channel, wire: bytes, **call: Any) -> Any: ...


async def unary(channel: grpc.aio.Channel, wire: bytes, **call: Any) -> Any:
    ask = channel.unary_unary(
        f"{SERVICE}/RouteDecision", response_deserializer=pb.RouteDecisionResponse.FromString
    )
    return await ask(wire, **call)


async def stream(channel: grpc.aio.Channel, wire: bytes, **call: Any) -> Any:
    opened = channel.stream_stream(
        f"{SERVICE}/StreamRouteDecisions",
        response_deserializer=stream_pb.StreamRouteDecisionsResponse.FromString,
    )(**call)
    await opened.write(field(1, b"one") + field(2, wire))
    await opened.done_writing()
    answer = await opened.read()
    assert answer is not grpc.aio.EOF
    assert answer.correlation_id == "one"
    assert await opened.read() is grpc.aio.EOF
    return _response(answer)


async def batch(channel: grpc.aio.Channel, wire: bytes, **call: Any) -> Any:
    ask = channel.unary_unary(
        f"{SERVICE}/BatchRouteDecisions",
        response_deserializer=batch_pb.BatchRouteDecisionsResponse.FromString,
    )
    answer = await ask(field(1, wire), **call)
    [result] = answer.results
    return _response(result)


WAYS: dict[str, Ask] = {"unary": unary, "stream": stream, "batch": batch}


def refusal(status: CallStatus) -> grpc.aio.AioRpcError:
    """What a call of its own would have been refused with."""
    told = rpc_status.to_status(Status.FromString(status.SerializeToString()))
    metadata = grpc.aio.Metadata(*told.trailing_metadata)
    return grpc.aio.AioRpcError(told.code, grpc.aio.Metadata(), metadata, told.details)


def _response(result: Any) -> Any:
    if result.WhichOneof("result") == "status":
        raise refusal(result.status)
    return result.response
