"""Protobuf's encoding, as far as frames are written and found by hand (its guide, "Encoding")."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

_ONE_BYTE, _TWO_BYTES = 0x80, 0x4000
_VARINT, _EIGHT_BYTES, _DELIMITED, _FOUR_BYTES = 0, 1, 2, 5
_VARINT_BYTES = 10
_TAGS = tuple(bytes((number << 3 | 2,)) for number in range(16))


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
