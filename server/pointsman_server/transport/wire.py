"""Protobuf's encoding, as far as finished bytes are framed by hand (its guide, "Encoding")."""

from __future__ import annotations

_SEVEN_BITS = 0x7F


def varint(number: int) -> bytes:
    """A length in the variable form ("Base 128 Varints")."""
    out = bytearray()
    while number > _SEVEN_BITS:
        out.append(number & _SEVEN_BITS | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(number: int, content: bytes) -> bytes:
    """Field `number`, under 16, of the length-delimited kind: a message, a text or bytes."""
    return b"".join((bytes((number << 3 | 2,)), varint(len(content)), content))
