"""What arrives as a request: a value within its bounds, or a status that names the field."""

from __future__ import annotations

from collections.abc import Iterator

from pointsman.v1 import batch_route_decisions_pb2 as batch_pb
from pointsman.v1 import route_decision_pb2 as pb
from pointsman.v1 import stream_route_decisions_pb2 as stream_pb
from pointsman_server.core.errors import InvalidRequest
from pointsman_server.core.model import PROMPT_CODE_POINTS
from pointsman_server.transport import decode
from pointsman_server.transport import wire_parsing as parse
from pointsman_server.transport.errors import to_status
from pointsman_server.transport.validation import IDENTIFIER_CODE_POINTS

from fuzz.targets.target import Target, plain

METADATA_BYTES = 8_192
"""What gRPC lets through as metadata unless told otherwise."""


def read(data: bytes) -> None:
    _decided(parse.parsed(data))
    item = parse.parsed_item(data)
    if item is not None:
        _decided(item.request if item.HasField("request") else None)
    try:
        batch = list(parse.parsed_batch(data))
    except InvalidRequest as error:
        _told(error)
    else:
        assert 1 <= len(batch) <= parse.BATCH_REQUESTS
        for message, _ in batch:
            _decided(message)


def _decided(message: pb.RouteDecisionRequest | None) -> None:
    try:
        request = decode.to_request(parse.whole(message, pb.RouteDecisionRequest))
    except InvalidRequest as error:
        _told(error)
        return
    for prefix in (request.prompt.first, request.prompt.latest, request.prompt.system):
        assert prefix is None or len(prefix) <= PROMPT_CODE_POINTS
    named = [
        request.caller.user_id,
        request.requested_model or "",
        *request.constraints.denied_models,
    ]
    if request.routing is not None:
        named += [request.routing.auto_model, *request.routing.candidate_models]
        assert len(request.routing.candidate_models) <= decode.CANDIDATES
    assert all(len(name) <= IDENTIFIER_CODE_POINTS for name in named)


def _told(error: InvalidRequest) -> None:
    assert error.violations, "refused without a field"
    status = to_status(error)
    size = len(status.details.encode()) + sum(len(k) + len(v) for k, v in status.trailing_metadata)
    assert size <= METADATA_BYTES, "a status that gRPC would not deliver"


def seeds() -> Iterator[bytes]:
    request = pb.RouteDecisionRequest(
        prompt=pb.Prompt(
            user_prompt_prefix="Fix it.", system_prompt_prefix="An agent.", api_kind=1, stream=True
        ),
        caller=pb.Caller(user_id="user-1", session_id="session-1", mode="code"),
        routing=pb.RoutingContext(
            auto_model="kilo-auto/frontier", candidate_models=["a/b", "c/d"], resolved_model="a/b"
        ),
        constraints=pb.Constraints(required_inputs=[1, 2], denied_models=["a/b"]),
        requested_model="kilo-auto/frontier",
        body_bytes=12_345,
    )
    yield request.SerializeToString()
    request.constraints.required_inputs[:] = [99] * 9
    request.routing.candidate_models[:] = [" "] * 40
    yield request.SerializeToString()
    item = stream_pb.StreamRouteDecisionsRequest(correlation_id="1", request=request)
    yield item.SerializeToString()
    yield batch_pb.BatchRouteDecisionsRequest(requests=[request] * 3).SerializeToString()


TARGET = Target(opened=plain(read), seeds=seeds)
