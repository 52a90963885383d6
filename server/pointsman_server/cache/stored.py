"""The form in which replicas keep a value for each other: a checksum, when it ends, and the value.

`....1790000000123 value`: CRC-32 of all that follows in four bytes, milliseconds since the epoch, a
blank, the value's bytes. The checksum stands there since a value that was cut short may still look
like one; the moment so that a reader knows how long its own copy may live, without asking for it.
What this process keeps for itself has neither: nobody else writes there.
"""

from __future__ import annotations

from typing import NamedTuple
from zlib import crc32

_MOST_DIGITS = 15
_CHECKSUM_BYTES = 4
_LONGEST = 7 * 86_400.0


class Stored(NamedTuple):
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
    rest = b"%d %b" % (round(stored.expires * 1_000), stored.value)
    return _checksum(rest) + rest


def unpack(raw: bytes) -> Stored:
    """What `pack` packed; everything else is `BROKEN`."""
    rest = raw[_CHECKSUM_BYTES:]
    if raw[:_CHECKSUM_BYTES] != _checksum(rest):
        return BROKEN
    moment, _, value = rest.partition(b" ")
    if not moment.isdigit() or len(moment) > _MOST_DIGITS:
        return BROKEN
    return Stored(value, int(moment) / 1_000)


def _checksum(rest: bytes) -> bytes:
    return crc32(rest).to_bytes(_CHECKSUM_BYTES, "big")
