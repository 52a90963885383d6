"""What stands in a cache, whoever wrote it: an answer as a whole, or none.

The input is read as a shared store's bytes, and as a value whose seal was right: nobody makes
one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from pointsman_server.cache.redis.sealed_entry import CacheEntry, EntrySigner
from pointsman_server.transport.fast_path.answer_codec import TEMPLATE_KEY_BYTES, WireCodec
from support.builders import CODEC, answer

from fuzz.targets.target import Target, plain

WEEK = 7 * 86_400
KEY = bytes(16)
SEALS = EntrySigner(b"fuzzed")


def read(data: bytes) -> None:
    for value in (data, bytes(TEMPLATE_KEY_BYTES) + data):
        found = CODEC.load(value)
        if found is not None:
            assert CODEC.load(WireCodec().dump(found)) is not None
    stored = SEALS.unpack(KEY, data)
    remaining = stored.remaining(0.0)
    assert math.isfinite(remaining), "an entry that never ends"
    assert remaining <= WEEK


def seeds() -> Iterator[bytes]:
    kept = CODEC.dump(answer())
    yield kept
    yield kept[TEMPLATE_KEY_BYTES:]
    yield SEALS.pack(KEY, CacheEntry(kept, 1_790_000_000.123))
    yield b"999999999999999 "


TARGET = Target(opened=plain(read), seeds=seeds)
