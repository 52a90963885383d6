"""One message of Envoy as it arrives, its body left in the bytes that gRPC received.

Each copy of a body of 16 MiB holds up other requests: for a millisecond, or for twenty where the
memory is touched for the first time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pointsman_extproc.body import Body
from pointsman_extproc.wire.external_processor_pb2 import ProcessingRequest
from pointsman_extproc.wire_format import DELIMITED, Field, delimited, fields

HERE = 64 * 1024
"""Bytes of a message, or of a message around a body, that protobuf may copy."""
_REQUEST_BODY, _BODY = 4, 1  # in `ProcessingRequest`; in `HttpBody`


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message, and the body in its `request_body`, which the message itself may lack."""

    message: ProcessingRequest
    body: Body = b""

    @classmethod
    def from_wire(cls, raw: bytes) -> Incoming:
        """Parse a message; `google.protobuf.message.DecodeError` for other bytes."""
        parts = without_body(raw) if len(raw) > HERE else None
        if parts is not None:
            rest, body = parts
            return cls(ProcessingRequest.FromString(rest), body)
        message = ProcessingRequest.FromString(raw)
        return cls(message, message.request_body.body)


def without_body(raw: bytes) -> tuple[bytes, memoryview] | None:
    """Split off the one body of a message; `None` where there is none, or where several merge."""
    view = memoryview(raw)
    try:
        outer = list(fields(raw, 0, len(raw)))
        holder = _only(outer, number=_REQUEST_BODY)
        inner = list(fields(raw, holder.start, holder.end))
        body = _only(inner, number=_BODY)
    except ValueError:
        return None
    if len(raw) - (body.end - body.start) > HERE:
        return None
    beside = b"".join(view[each.begins : each.end] for each in inner if each is not body)
    rest = b"".join(
        delimited(_REQUEST_BODY, beside) if each is holder else view[each.begins : each.end]
        for each in outer
    )
    return rest, view[body.start : body.end]


def _only(found: Sequence[Field], *, number: int) -> Field:
    """Return the one field of a number; `ValueError` for none, several, or another wire type."""
    (only,) = (each for each in found if each.number == number)
    if only.kind != DELIMITED:
        raise ValueError("another wire type")
    return only
