"""The details of a status, from the trailer `grpc-status-details-bin`.

They are google.rpc messages (https://cloud.google.com/apis/design/errors). The few that this
contract uses are declared here, in a separate descriptor pool, so that the client needs no
package besides protobuf and meets no other copy of them in the process. Only field numbers and
types count on the wire.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message

from pointsman_client.errors import ErrorFacts, FieldViolation

TRAILER = "grpc-status-details-bin"

_Field = descriptor_pb2.FieldDescriptorProto
_PACKAGE = "pointsman_client.details"
_TYPE_URL = "type.googleapis.com/google.rpc."

# Message -> its fields in the order of their numbers, which are 1, 2, 3: (name, type, repeated).
# A type that is a string names a message of this table.
_MESSAGES: dict[str, tuple[tuple[str, int | str, bool], ...]] = {
    "Any": (("type_url", _Field.TYPE_STRING, False), ("value", _Field.TYPE_BYTES, False)),
    "Duration": (("seconds", _Field.TYPE_INT64, False), ("nanos", _Field.TYPE_INT32, False)),
    "Status": (
        ("code", _Field.TYPE_INT32, False),
        ("message", _Field.TYPE_STRING, False),
        ("details", "Any", True),
    ),
    "FieldViolation": (
        ("field", _Field.TYPE_STRING, False),
        ("description", _Field.TYPE_STRING, False),
    ),
    "BadRequest": (("field_violations", "FieldViolation", True),),
    "ErrorInfo": (("reason", _Field.TYPE_STRING, False), ("domain", _Field.TYPE_STRING, False)),
    "RetryInfo": (("retry_delay", "Duration", False),),
}


def _declare() -> dict[str, type[Message]]:
    file = descriptor_pb2.FileDescriptorProto(
        name="pointsman_client/details.proto", package=_PACKAGE, syntax="proto3"
    )
    for message, fields in _MESSAGES.items():
        declared = file.message_type.add(name=message)
        for number, (name, kind, repeated) in enumerate(fields, start=1):
            label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
            added = declared.field.add(name=name, number=number, label=label)
            if isinstance(kind, str):
                added.type = _Field.TYPE_MESSAGE
                added.type_name = f".{_PACKAGE}.{kind}"
            else:
                added.type = kind  # type: ignore[assignment]  # an enum value, typed as int above
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
        for name in _MESSAGES
    }


_CLASSES = _declare()


def read_details(status: str, *, trailers: Iterable[tuple[str, str | bytes]]) -> ErrorFacts:
    """The facts of an error with the status of that name. Details that cannot be read are none."""
    reason: str | None = None
    retry_after: float | None = None
    violations: list[FieldViolation] = []
    for name, message in _messages(trailers):
        if name == "ErrorInfo":
            reason = message.reason or None
        elif name == "RetryInfo":
            retry_after = message.retry_delay.seconds + message.retry_delay.nanos / 1e9
        else:
            violations += (
                FieldViolation(each.field, each.description) for each in message.field_violations
            )
    return ErrorFacts(
        status=status, reason=reason, violations=tuple(violations), retry_after=retry_after
    )


def write_details(*, code: int, message: str, facts: ErrorFacts) -> bytes:
    """The trailer's value for a status with these facts; used by `testing`."""
    details: list[tuple[str, Message]] = []
    if facts.reason:
        info = _CLASSES["ErrorInfo"](reason=facts.reason, domain="pointsman")
        details.append(("ErrorInfo", info))
    if facts.violations:
        fields = [{"field": v.field, "description": v.description} for v in facts.violations]
        details.append(("BadRequest", _CLASSES["BadRequest"](field_violations=fields)))
    if facts.retry_after is not None:
        seconds = int(facts.retry_after)
        delay = {"seconds": seconds, "nanos": int((facts.retry_after - seconds) * 1e9)}
        details.append(("RetryInfo", _CLASSES["RetryInfo"](retry_delay=delay)))
    packed = [
        {"type_url": _TYPE_URL + name, "value": each.SerializeToString()} for name, each in details
    ]
    status = _CLASSES["Status"](code=code, message=message, details=packed)
    return status.SerializeToString()


def _messages(trailers: Iterable[tuple[str, str | bytes]]) -> Iterable[tuple[str, Any]]:
    for key, value in trailers:
        if key != TRAILER or not isinstance(value, bytes):
            continue
        status: Any = _parse("Status", encoded=value)
        for packed in () if status is None else status.details:
            name = packed.type_url.rpartition(".")[2]
            if name in {"ErrorInfo", "RetryInfo", "BadRequest"}:
                message = _parse(name, encoded=packed.value)
                if message is not None:
                    yield name, message


def _parse(name: str, *, encoded: bytes) -> Message | None:
    message = _CLASSES[name]()
    try:
        message.ParseFromString(encoded)
    except DecodeError:
        return None
    return message
