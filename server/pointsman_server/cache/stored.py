"""The form in which replicas keep a value for each other: when it ends, a checksum, and the value.

`1790000000123 ....value`: milliseconds since the epoch, a blank, CRC-32 of all else in four bytes,
the value's bytes. The moment stands there so that a reader knows how long its own copy may live,
without asking for it; the checksum, since a value that was cut short may still look like one.
What this process keeps for itself has neither: nobody else writes there.
"""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

_MOST_DIGITS = 15
_CHECKSUM_BYTES = 4
_LONGEST = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class Stored:
    """A value and when it ends, in seconds since the epoch."""

    value: bytes
    expires: float

    def remaining(self, now: float) -> float:
        """Seconds left at `now`; bounded, whatever a replica's clock said."""
        return min(self.expires - now, _LONGEST)


BROKEN = Stored(b"", 0.0)
"""What foreign, cut and damaged bytes are: a value that means nothing and has ended, which is seen,
so that it can be replaced, and never copied."""


def pack(stored: Stored) -> bytes:
    """`stored` as bytes."""
    moment = b"%d" % round(stored.expires * 1_000)
    return b"%b %b%b" % (moment, _checksum(moment, stored.value), stored.value)


def unpack(raw: bytes) -> Stored:
    """What `pack` packed; everything else is `BROKEN`."""
    moment, _, rest = raw.partition(b" ")
    if not moment.isdigit() or len(moment) > _MOST_DIGITS:
        return BROKEN
    value = rest[_CHECKSUM_BYTES:]
    if rest[:_CHECKSUM_BYTES] != _checksum(moment, value):
        return BROKEN
    return Stored(value, int(moment) / 1_000)


def _checksum(moment: bytes, value: bytes) -> bytes:
    return crc32(value, crc32(moment)).to_bytes(_CHECKSUM_BYTES, "big")
