"""The one table from errors to gRPC statuses, and the details that each carries."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as details
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from pointsman_server.core.errors import (
    ArtefactInvalid,
    EngineFailed,
    EnginesFailed,
    InvalidRequest,
    LinesInvalid,
    Overloaded,
    PointsmanError,
    PolicyInvalid,
    SettingInvalid,
    SourceUnreadable,
    StreamEnded,
    TooFewLines,
    TooLate,
    Unauthenticated,
    UnknownProfile,
    UnknownPurpose,
)

DOMAIN = "pointsman"
INTERNAL_TEXT = "internal error"
NAMED_IN_TEXT = 4


@dataclass(frozen=True, slots=True)
class Rule:
    """The wire form of one error class: status, reason of the contract, fixed text."""

    code: grpc.StatusCode
    reason: str
    text: str
    more: Callable[[PointsmanError], list[Message]] = lambda _error: []


def _bad_request(error: PointsmanError) -> list[Message]:
    if not isinstance(error, InvalidRequest):
        return []
    violation = details.BadRequest.FieldViolation
    return [
        details.BadRequest(
            field_violations=[
                violation(field=v.field, description=v.description) for v in error.violations
            ]
        )
    ]


def _first(error: InvalidRequest) -> str:
    """A few bad fields in words; the details have them all."""
    named = [f"{v.field}: {v.description}" for v in error.violations[:NAMED_IN_TEXT]]
    more = len(error.violations) - len(named)
    return "; ".join([*named, f"and {more} more"] if more else named)


def _retry_info(error: PointsmanError) -> list[Message]:
    if not isinstance(error, Overloaded):
        return []
    fraction, seconds = math.modf(error.retry_after)
    delay = Duration(seconds=int(seconds), nanos=int(fraction * 1e9))
    return [details.RetryInfo(retry_delay=delay)]


_BUG = Rule(grpc.StatusCode.INTERNAL, "INTERNAL", INTERNAL_TEXT)

RULES: dict[type[PointsmanError], Rule] = {
    InvalidRequest: Rule(
        grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", "invalid request", _bad_request
    ),
    UnknownPurpose: Rule(
        grpc.StatusCode.NOT_FOUND,
        "UNKNOWN_PURPOSE",
        "the policy file has no such purpose: add it under llm.routes",
    ),
    UnknownProfile: Rule(
        grpc.StatusCode.NOT_FOUND,
        "UNKNOWN_PROFILE",
        "the policy file has no such profile, or none for the purpose: set llm.provider and"
        " llm.model, or add it under llm.profiles",
    ),
    Unauthenticated: Rule(
        grpc.StatusCode.UNAUTHENTICATED, "INVALID_CREDENTIALS", "a valid bearer token is required"
    ),
    TooLate: Rule(
        grpc.StatusCode.DEADLINE_EXCEEDED, "TOO_LATE", "the time given to this decision has passed"
    ),
    StreamEnded: Rule(
        grpc.StatusCode.UNAVAILABLE, "STREAM_ENDED", "this stream ends: open another"
    ),
    Overloaded: Rule(
        grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", "too many calls at once", _retry_info
    ),
    ArtefactInvalid: _BUG,
    # These become outcomes or problems of an operator; one that gets here is a bug.
    EngineFailed: _BUG,
    EnginesFailed: _BUG,
    SourceUnreadable: _BUG,
    PolicyInvalid: _BUG,
    SettingInvalid: _BUG,
    LinesInvalid: _BUG,
    TooFewLines: _BUG,
}


def to_status(error: Exception) -> grpc.Status:
    """The status of an error; of anything that is not ours, INTERNAL with a fixed text."""
    rule = RULES.get(type(error), _BUG) if isinstance(error, PointsmanError) else _BUG
    extra = rule.more(error) if isinstance(error, PointsmanError) else []
    text = f"{rule.text}: {_first(error)}" if isinstance(error, InvalidRequest) else rule.text
    found = [details.ErrorInfo(reason=rule.reason, domain=DOMAIN), *extra]
    packed = []
    for message in found:
        holder = AnyMessage()
        holder.Pack(message)
        packed.append(holder)
    status = Status(code=rule.code.value[0], message=text, details=packed)
    converted: grpc.Status = rpc_status.to_status(status)
    return converted
