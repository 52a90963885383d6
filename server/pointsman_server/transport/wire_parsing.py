"""Wire bytes -> messages, and protobuf framing (protobuf.dev, "Encoding").

A message above its size limit is not parsed, because parsing it would block the event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from typing import NamedTuple, TypeVar

from google.protobuf.message import DecodeError, Message
from pointsman.v1 import batch_route_decisions_pb2 as batch_pb
from pointsman.v1 import route_decision_pb2 as pb
from pointsman.v1 import stream_route_decisions_pb2 as stream_pb

from pointsman_server.core.errors import FieldViolation, InvalidRequest

M = TypeVar("M", bound=Message)

REQUEST_BYTES = 64 * 1024
ITEM_BYTES = REQUEST_BYTES + 4 * 1024
"""A message of a stream: a request, and beside it the correlation id and the trace."""
BATCH_REQUESTS = 256

_ITEM_FIELDS, _BATCH_FIELDS = 16, 2 * BATCH_REQUESTS
"""How many fields of a large message are looked at; some may be of a newer contract."""
_ITEM_TEXTS, _BATCH_REQUEST = (1, 4, 5), 1
_ONE_BYTE, _TWO_BYTES = 0x80, 0x4000
_VARINT, _EIGHT_BYTES, _DELIMITED, _FOUR_BYTES = 0, 1, 2, 5
_VARINT_BYTES = 10
_TAGS = tuple(bytes((number << 3 | 2,)) for number in range(16))


def parsed(wire: bytes) -> pb.RouteDecisionRequest | None:
    """The message of these bytes; `None` where they are none, or too many."""
    if len(wire) > REQUEST_BYTES:
        return None
    try:
        return pb.RouteDecisionRequest.FromString(wire)
    except DecodeError:
        return None


def parsed_batch(wire: bytes) -> Iterable[tuple[pb.RouteDecisionRequest | None, int]]:
    """The requests of a batch as `parsed` gives them, and the bytes that getting each one reads.

    A small batch is read at once, which takes half as long. Raises `InvalidRequest`.
    """
    if len(wire) <= REQUEST_BYTES:
        try:
            requests = batch_pb.BatchRouteDecisionsRequest.FromString(wire).requests
        except DecodeError:
            pass  # all but what is unreadable can be read alone
        else:
            _check_count(len(requests))
            return zip(requests, repeat(0))
    found: list[Frame] = []
    try:
        found.extend(f for f in frames(wire, most=_BATCH_FIELDS) if f.number == _BATCH_REQUEST)
    except ValueError:
        _check_count(len(found) or 1)  # where it was given up, there may be too many already
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
    """The texts of a message of a stream that is too large; none where they are what is."""
    try:
        found = list(frames(wire, most=_ITEM_FIELDS))
    except ValueError:
        return b""
    texts = [frame for frame in found if frame.number in _ITEM_TEXTS]
    if sum(end - start for _, start, end in texts) > ITEM_BYTES - REQUEST_BYTES:
        return b""
    return b"".join(field(number, wire[start:end]) for number, start, end in texts)


def checked(message: pb.RouteDecisionRequest | None) -> pb.RouteDecisionRequest:
    """`message`, if there is one. Raises `InvalidRequest`."""
    if message is None:
        raise _invalid("request", _must_be("RouteDecisionRequest"))
    return message


def _must_be(kind: str) -> str:
    return f"must be a {kind} of at most {REQUEST_BYTES} bytes"


def reader(kind: type[M]) -> Callable[[bytes], M | None]:
    """Reads a message of a kind, `None` where the bytes are none, or too many.

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
    """What a `reader` read, if it was a message. Raises `InvalidRequest`."""
    if message is None:
        raise _invalid("request", _must_be(kind.DESCRIPTOR.name))
    return message


def _invalid(path: str, description: str) -> InvalidRequest:
    return InvalidRequest([FieldViolation(path, description)])


def varint(number: int) -> bytes:
    """A length in the variable form ("Base 128 Varints"); most take one byte or two."""
    if number < _ONE_BYTE:
        return bytes((number,))
    if number < _TWO_BYTES:
        return bytes((number & 0x7F | 0x80, number >> 7))
    return bytes((number & 0x7F | 0x80,)) + varint(number >> 7)


def field(number: int, content: bytes) -> bytes:
    """Field `number`, under 16, of the length-delimited kind: a message, a text or bytes."""
    return b"%b%b%b" % (_TAGS[number], varint(len(content)), content)


class Frame(NamedTuple):
    """Where the content of a field of the length-delimited kind is."""

    number: int
    start: int
    end: int


def frames(wire: bytes, *, most: int) -> Iterator[Frame]:
    """The length-delimited fields of a message in their order, of which no content is read.

    Fields of other kinds are passed over. Raises `ValueError` where the bytes are no message, or
    one of more than `most` fields.
    """
    at, size = 0, len(wire)
    for _ in range(most):
        if at == size:
            return
        tag, at = _varint(wire, at)
        number, kind = tag >> 3, tag & 7
        length = 0
        if kind in (_DELIMITED, _VARINT):
            length, at = _varint(wire, at)
        start, at = at, at + _skipped(kind, length)
        if at > size or not number:
            raise ValueError("not a message")
        if kind == _DELIMITED:
            yield Frame(number, start, at)
    if at != size:
        raise ValueError(f"more than {most} fields")


def _skipped(kind: int, length: int) -> int:
    """The bytes of a field behind its tag, and behind its length if it has one."""
    if kind == _VARINT:
        return 0
    if kind == _DELIMITED:
        return length
    if kind == _EIGHT_BYTES:
        return 8
    if kind == _FOUR_BYTES:
        return 4
    raise ValueError("groups are not in use")


def _varint(wire: bytes, at: int) -> tuple[int, int]:
    """The number there, and where it ends."""
    number = 0
    for shift, byte in enumerate(wire[at : at + _VARINT_BYTES]):
        number |= (byte & 0x7F) << 7 * shift
        if byte < _ONE_BYTE:
            return number, at + shift + 1
    raise ValueError("not a number")
