"""Wire bytes -> messages.

A message above its size limit is not parsed, because parsing it would block the event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import repeat
from typing import TypeVar

from google.protobuf.message import DecodeError, Message
from pointsman.v1 import batch_route_decisions_pb2 as batch_pb
from pointsman.v1 import route_decision_pb2 as pb
from pointsman.v1 import stream_route_decisions_pb2 as stream_pb

from pointsman_server.core.errors import FieldViolation, InvalidRequest
from pointsman_server.lib.protobuf_wire import Frame, field, frames

M = TypeVar("M", bound=Message)

REQUEST_BYTES = 64 * 1024
ITEM_BYTES = REQUEST_BYTES + 4 * 1024
"""A message of a stream: a request, and beside it the correlation id and the trace."""
BATCH_REQUESTS = 256

_ITEM_FIELDS, _BATCH_FIELDS = 16, 2 * BATCH_REQUESTS
"""The number of fields of a large message that are read; some may be of a newer contract."""
_ITEM_TEXTS, _BATCH_REQUEST = (1, 4, 5), 1


def reader(kind: type[M]) -> Callable[[bytes], M | None]:
    """Return a reader of messages of a kind; it gives `None` for other or too many bytes.

    gRPC answers UNKNOWN to a reader that raises, and quotes the error.
    """

    def read(wire: bytes) -> M | None:
        if len(wire) > REQUEST_BYTES:
            return None
        try:
            return kind.FromString(wire)
        except DecodeError:
            return None

    return read


def whole(message: M | None, kind: type[M]) -> M:
    """The message of a `reader`. Raises `InvalidRequest` if it could not be parsed."""
    if message is None:
        expected = f"must be a {kind.DESCRIPTOR.name} of at most {REQUEST_BYTES} bytes"
        raise _invalid("request", expected)
    return message


parsed = reader(pb.RouteDecisionRequest)


def parsed_batch(wire: bytes) -> Iterable[tuple[pb.RouteDecisionRequest | None, int]]:
    """The requests of a batch as `parsed` gives them, and the bytes that getting each one reads.

    A small batch is read at once, which takes half as long. Raises `InvalidRequest`.
    """
    if len(wire) <= REQUEST_BYTES:
        try:
            requests = batch_pb.BatchRouteDecisionsRequest.FromString(wire).requests
        except DecodeError:
            pass  # the readable requests can be read separately
        else:
            _check_count(len(requests))
            return zip(requests, repeat(0))
    found: list[Frame] = []
    try:
        found.extend(f for f in frames(wire, most=_BATCH_FIELDS) if f.number == _BATCH_REQUEST)
    except ValueError:
        _check_count(len(found) or 1)  # parsing may have stopped after too many
        raise _invalid("request", "must be a BatchRouteDecisionsRequest") from None
    _check_count(len(found))
    return ((parsed(wire[start:end]), end - start) for _, start, end in found)


def _check_count(requests: int) -> None:
    if not 1 <= requests <= BATCH_REQUESTS:
        raise _invalid("requests", f"must have 1 to {BATCH_REQUESTS}")


def parsed_item(wire: bytes) -> stream_pb.StreamRouteDecisionsRequest | None:
    """One message of a stream; `None` where the bytes are none.

    It is without its request where that is too large.
    """
    if len(wire) > ITEM_BYTES:
        wire = _beside_request(wire)
        if not wire:
            return None
    try:
        item = stream_pb.StreamRouteDecisionsRequest.FromString(wire)
    except DecodeError:
        return None
    if len(wire) > REQUEST_BYTES and item.request.ByteSize() > REQUEST_BYTES:
        item.ClearField("request")
    return item


def _beside_request(wire: bytes) -> bytes:
    """The texts beside the request in an oversized stream message; none if they are too large."""
    try:
        found = list(frames(wire, most=_ITEM_FIELDS))
    except ValueError:
        return b""
    texts = [frame for frame in found if frame.number in _ITEM_TEXTS]
    if sum(end - start for _, start, end in texts) > ITEM_BYTES - REQUEST_BYTES:
        return b""
    return b"".join(field(number, wire[start:end]) for number, start, end in texts)


def _invalid(path: str, description: str) -> InvalidRequest:
    return InvalidRequest([FieldViolation(path, description)])
