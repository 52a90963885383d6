"""The format of shared entries: a seal, the expiry, and the value.

`........1790000000123 value`: eight bytes of a keyed hash over the key and all that follows,
milliseconds since the epoch, a space, the value's bytes. The seal detects truncated values, and it
prevents an attacker with write access from choosing models: without the replicas' secret, nobody
can create a value or move one to another key. The expiry bounds a reader's local copy without
another lookup. Entries in this process have neither, because nobody else writes there.
"""

from __future__ import annotations

from hashlib import blake2b
from hmac import compare_digest
from typing import NamedTuple

_MOST_DIGITS = 15
_SEAL_BYTES = 8
_LONGEST = 7 * 86_400.0


class CacheEntry(NamedTuple):
    """A value and when it ends, in seconds since the epoch."""

    value: bytes
    expires: float

    def remaining(self, now: float) -> float:
        """Seconds left at `now`, bounded in case of a wrong clock on a replica."""
        return min(self.expires - now, _LONGEST)


BROKEN = CacheEntry(b"", 0.0)
"""The entry for foreign, truncated and damaged bytes: empty and expired. It is visible, so that it
can be replaced, and never copied."""


class EntrySigner:
    """Seals values with a secret of up to 64 bytes, which all replicas have."""

    def __init__(self, secret: bytes) -> None:
        self._mac = blake2b(digest_size=_SEAL_BYTES, key=secret)

    def pack(self, key: bytes, stored: CacheEntry) -> bytes:
        """`stored` as the bytes to keep under `key`, which is of at most 255 bytes."""
        rest = b"%d %b" % (round(stored.expires * 1_000), stored.value)
        return self._seal(key, rest) + rest

    def unpack(self, key: bytes, raw: bytes) -> CacheEntry:
        """Unpack the result of `pack` for `key`; other bytes are `BROKEN`."""
        rest = raw[_SEAL_BYTES:]
        if not compare_digest(raw[:_SEAL_BYTES], self._seal(key, rest)):
            return BROKEN
        moment, _, value = rest.partition(b" ")
        if not moment.isdigit() or len(moment) > _MOST_DIGITS:
            return BROKEN
        return CacheEntry(value, int(moment) / 1_000)

    def _seal(self, key: bytes, rest: bytes) -> bytes:
        mac = self._mac.copy()
        # The length stands first, so that no two pairs of key and rest are sealed alike.
        mac.update(bytes((len(key),)) + key)
        mac.update(rest)
        return mac.digest()
