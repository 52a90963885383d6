"""JSON bodies of the HTTP listener: a message, or an error that names a field and can be sent."""

from __future__ import annotations

import json
from collections.abc import Iterator

from connectrpc.errors import ConnectError
from google.protobuf import json_format
from google.rpc import error_details_pb2
from pointsman.v1 import batch_route_decisions_pb2, resolve_route_pb2, route_decision_pb2
from pointsman_server.transport.http.codecs import JsonCodec
from support.served import request

from fuzz.targets.target import Target, plain

KINDS = (
    route_decision_pb2.RouteDecisionRequest,
    batch_route_decisions_pb2.BatchRouteDecisionsRequest,
    resolve_route_pb2.ResolveRouteRequest,
)
LONGEST_ERROR = 16_384
CODEC = JsonCodec()


def read(data: bytes) -> None:
    for kind in KINDS:
        try:
            message = CODEC.decode(data, kind)
        except ConnectError as error:
            assert len(error.message) < LONGEST_ERROR + len(data)
            packed = next(d for d in error.details if d.type_name == "google.rpc.BadRequest")
            found = error_details_pb2.BadRequest.FromString(packed.message_bytes)
            assert all(each.field for each in found.field_violations), "refused without a field"
            assert 0 < len(found.field_violations) <= 8
        else:
            assert kind.FromString(message.SerializeToString()) == message


def seeds() -> Iterator[bytes]:
    well = json_format.MessageToDict(request())
    yield json.dumps(well).encode()
    yield json.dumps({"requests": [well, {"caller": {"userId": 7}}], "more": [None]}).encode()
    yield json.dumps({"purpose": "p", "runId": "r", "constraints": {"reserved": -1}}).encode()
    yield b'{"\\ud800": 1, "prompt": [], "dataPolicy": "X", "prompt": {"messageCount": 1e400}}'


TARGET = Target(opened=plain(read), seeds=seeds)
