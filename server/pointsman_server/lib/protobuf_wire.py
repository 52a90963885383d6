"""Protobuf's wire format, written and split by hand where messages would be too slow.

Source: protobuf.dev, "Encoding".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

VARINT, EIGHT_BYTES, DELIMITED, FOUR_BYTES = 0, 1, 2, 5
"""Wire types that are in use; groups are not."""
_VARINT_BYTES: Final = 10
_ONE_BYTE: Final = tuple(bytes((number,)) for number in range(0x80))
_TAGS: Final = tuple(bytes((number << 3 | DELIMITED,)) for number in range(16))


def varint(number: int) -> bytes:
    """Encode a number from 0 to 2^64 - 1."""
    if number < 0x80:  # noqa: PLR2004
        return _ONE_BYTE[number]
    if number < 0x4000:  # noqa: PLR2004
        # Lengths of cached decisions, on the fast path.
        return bytes((number & 0x7F | 0x80, number >> 7))
    out = bytearray()
    while number > 0x7F:  # noqa: PLR2004
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(number: int, content: bytes) -> bytes:
    """Encode a length-delimited field; `number` is below 16."""
    return tagged(_TAGS[number], content)


def tagged(tag: bytes, content: bytes) -> bytes:
    """Encode a length-delimited field whose tag is encoded already."""
    size = len(content)
    return tag + (_ONE_BYTE[size] if size < 0x80 else varint(size)) + content  # noqa: PLR2004


class Frame(NamedTuple):
    """The place of the content of a length-delimited field."""

    number: int
    start: int
    end: int


def frames(wire: bytes, *, most: int) -> Iterator[Frame]:
    """Yield the length-delimited fields of a message in order, without reading their content.

    Fields of other wire types are skipped. Raises `ValueError` where the bytes are no message, or
    one of more than `most` fields.
    """
    at, size = 0, len(wire)
    for _ in range(most):
        if at == size:
            return
        tag, at = _read_varint(wire, at)
        number, kind = tag >> 3, tag & 7
        length = 0
        if kind in (DELIMITED, VARINT):
            length, at = _read_varint(wire, at)
        start, at = at, at + _skipped(kind, length)
        if at > size or not number:
            raise ValueError("not a message")
        if kind == DELIMITED:
            yield Frame(number, start, at)
    if at != size:
        raise ValueError(f"more than {most} fields")


def _skipped(kind: int, length: int) -> int:
    """The bytes of a field behind its tag, and behind its length if it has one."""
    if kind == VARINT:
        return 0
    if kind == DELIMITED:
        return length
    if kind == EIGHT_BYTES:
        return 8
    if kind == FOUR_BYTES:
        return 4
    raise ValueError("groups are not in use")


def _read_varint(wire: bytes, at: int) -> tuple[int, int]:
    """The number at `at`, and where it ends."""
    number = 0
    for shift, byte in enumerate(wire[at : at + _VARINT_BYTES]):
        number |= (byte & 0x7F) << 7 * shift
        if byte < 0x80:  # noqa: PLR2004
            return number, at + shift + 1
    raise ValueError("not a number")
