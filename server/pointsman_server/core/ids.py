"""Decision ids: UUID version 7 (RFC 9562, section 5.7), sortable by time."""

from __future__ import annotations

ENTROPY_BYTES = 10


def uuid7(*, seconds: float, entropy: bytes) -> str:
    """The canonical form, from the time since the epoch and `ENTROPY_BYTES` random bytes."""
    random = int.from_bytes(entropy[:ENTROPY_BYTES], "big")
    version_and_a = 0x7000 | (random >> 68 & 0xFFF)
    variant_and_b = 0x8000 | (random >> 54 & 0x3FFF)
    stamp = f"{int(seconds * 1000) & (1 << 48) - 1:012x}"
    rest = random & (1 << 48) - 1
    return f"{stamp[:8]}-{stamp[8:]}-{version_and_a:04x}-{variant_and_b:04x}-{rest:012x}"
