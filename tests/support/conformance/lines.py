"""JSON lines between the kit and a client's program."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format
from pointsman.v1 import route_decision_pb2 as pb

from support.conformance.comparison import Found


def request_json(wire: bytes) -> dict[str, Any]:
    """A request as proto3 JSON and as bytes, which alone hold fields of a newer contract."""
    message = pb.RouteDecisionRequest.FromString(wire)
    plain = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return {"request": plain, "wire": base64.b64encode(wire).decode()}


def found_in(line: Mapping[str, Any]) -> Found:
    """The result that a program wrote: `response`, or `status` and `bad_fields`."""
    if "response" in line:
        answer = pb.RouteDecisionResponse()
        json_format.ParseDict(line["response"], answer, ignore_unknown_fields=True)
        return Found(answer=answer)
    return Found(status=line.get("status") or "", bad_fields=tuple(line.get("bad_fields") or ()))
