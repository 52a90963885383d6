"""Decision ids: UUID version 7 (RFC 9562, section 5.7), sortable by time."""

from __future__ import annotations

ENTROPY_BYTES = 10


def uuid7(*, seconds: float, entropy: bytes) -> str:
    """The canonical form, from the time since the epoch and `ENTROPY_BYTES` random bytes."""
    # Cut from hexadecimal text, since it is made for every answer and big integers take longer.
    stamp = f"{int(seconds * 1000) & (1 << 48) - 1:012x}"
    random = entropy[:ENTROPY_BYTES].hex()
    variant = "89ab"[entropy[2] >> 4 & 3]
    return f"{stamp[:8]}-{stamp[8:]}-7{random[1:4]}-{variant}{random[5:8]}-{random[8:]}"
