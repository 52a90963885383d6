"""Decision ids: UUID version 7 (RFC 9562, section 5.7), sortable by time."""

from __future__ import annotations

ENTROPY_BYTES = 10


def uuid7(*, seconds: float, entropy: bytes) -> str:
    """The canonical form, from the time since the epoch and `ENTROPY_BYTES` random bytes."""
    bits = (int(seconds * 1000) & (1 << 48) - 1) << 80 | int.from_bytes(entropy[:10], "big")
    bits = bits & ~(0xF << 76) | 0x7 << 76
    bits = bits & ~(0x3 << 62) | 0x2 << 62
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
