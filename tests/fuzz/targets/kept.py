"""What stands in a cache, whoever wrote it: an answer as a whole, or none.

The input is read as it is and behind a seal: nobody guesses a checksum.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from pointsman_server.cache.stored import Stored, pack, unpack
from pointsman_server.transport.kept import WireCodec, seal, unseal
from support.builders import CODEC, answer

from fuzz.targets.target import Target, plain

WEEK = 7 * 86_400


def read(data: bytes) -> None:
    unseal(data)
    CODEC.load(data)
    whole = CODEC.load(seal(data))
    if whole is not None:
        again = WireCodec().dump(whole)
        assert unseal(again) is not None
    stored = unpack(data)
    remaining = stored.remaining(0.0)
    assert math.isfinite(remaining), "an entry that never ends"
    assert remaining <= WEEK


def seeds() -> Iterator[bytes]:
    sealed = CODEC.dump(answer())
    yield sealed
    whole = unseal(sealed)
    assert whole is not None
    yield whole[1]
    yield pack(Stored(sealed, 1_790_000_000.123))
    yield b"999999999999999 "


TARGET = Target(opened=plain(read), seeds=seeds)
