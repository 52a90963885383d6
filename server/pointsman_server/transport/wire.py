"""Protobuf's encoding, as far as finished bytes are framed by hand (its guide, "Encoding")."""

from __future__ import annotations

_ONE_BYTE, _TWO_BYTES = 0x80, 0x4000
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
