"""Protobuf's wire format, for messages around bodies that protobuf would copy.

Source: protobuf.dev, "Encoding".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

VARINT, EIGHT_BYTES, DELIMITED, FOUR_BYTES = 0, 1, 2, 5
"""Wire types that are in use; groups are not."""
_LOW_BITS, _MORE = 0x7F, 0x80  # of a byte of a varint
_VARINT_BYTES = 10
_MOST_FIELDS = 64


class Field(NamedTuple):
    """The place of a field: its tag begins at `begins`, its content is at `start` to `end`."""

    number: int
    kind: int
    begins: int
    start: int
    end: int


def fields(wire: bytes, at: int, end: int) -> Iterator[Field]:
    """Yield the fields at `at` to `end`; `ValueError` for too many, groups, and other bytes."""
    for _ in range(_MOST_FIELDS):
        if at == end:
            return
        begins = at
        tag, start = _read_varint(wire, at, end)
        kind = tag & 7
        if kind == VARINT:
            _, at = _read_varint(wire, start, end)
        elif kind == DELIMITED:
            length, start = _read_varint(wire, start, end)
            at = start + length
        elif kind in (EIGHT_BYTES, FOUR_BYTES):
            at = start + (8 if kind == EIGHT_BYTES else 4)
        else:
            raise ValueError("groups are not in use")
        if at > end:
            raise ValueError("not a message")
        yield Field(tag >> 3, kind, begins, start, at)
    raise ValueError(f"more than {_MOST_FIELDS} fields")


def delimited(number: int, content: bytes) -> bytes:
    """Encode a field with a length; `number` is below 16."""
    return bytes((number << 3 | DELIMITED,)) + varint(len(content)) + content


def varint(number: int) -> bytes:
    """Encode a number."""
    digits = bytearray()
    while number > _LOW_BITS:
        digits.append(number & _LOW_BITS | _MORE)
        number >>= 7
    digits.append(number)
    return bytes(digits)


def _read_varint(wire: bytes, at: int, end: int) -> tuple[int, int]:
    """Return the number at `at`, and where it ends."""
    number = 0
    for shift, byte in enumerate(wire[at : min(at + _VARINT_BYTES, end)]):
        number |= (byte & _LOW_BITS) << 7 * shift
        if byte < _MORE:
            return number, at + shift + 1
    raise ValueError("not a number")
