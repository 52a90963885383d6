"""The form in which replicas keep a value for each other: when it ends, and the value.

`1790000000123 {...}`: milliseconds since the epoch, a blank, the value's bytes. The moment stands
in the value so that a reader knows how long its own copy may live, without asking for it.
"""

from __future__ import annotations

from dataclasses import dataclass

_MOST_DIGITS = 15
_LONGEST = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class Stored:
    """A value and when it ends, in seconds since the epoch."""

    value: bytes
    expires: float

    def remaining(self, now: float) -> float:
        """Seconds left at `now`; bounded, whatever a replica's clock said."""
        return min(self.expires - now, _LONGEST)


def pack(stored: Stored) -> bytes:
    """`stored` as bytes."""
    return b"%d %b" % (round(stored.expires * 1_000), stored.value)


def unpack(raw: bytes) -> Stored:
    """What `pack` packed. Foreign bytes are a value that has ended: seen, but never copied."""
    moment, _, value = raw.partition(b" ")
    if not moment.isdigit() or len(moment) > _MOST_DIGITS:
        return Stored(raw, 0.0)
    return Stored(value, int(moment) / 1_000)
