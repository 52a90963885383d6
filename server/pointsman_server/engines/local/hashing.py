"""Words as numbers: 64-bit hashes of all tokens of a text in a few vector operations.

The hash of a word is a polynomial over its bytes, modulo 2**64: the difference of two prefix sums
over the text, divided by the power at which the word begins. That division is a product, since
every odd base has an inverse there.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

BITS: Final = 15
"""The hashed space has 2**BITS buckets."""

BYTES_MAX: Final = 8_002
"""The longest text that can be hashed, in bytes of UTF-8 with a space at its end."""

Hashes = NDArray[np.uint64]
Bytes = NDArray[np.uint8]
Integers = NDArray[np.int64]

_MASK: Final = (1 << 64) - 1


def _splitmix(seed: int) -> int:
    """One step of the splitmix64 generator: a fixed, well-mixed constant for every `seed`."""
    z = (seed * 0x9E3779B97F4A7C15) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def _powers(base: int) -> Hashes:
    powers = [1]
    for _ in range(BYTES_MAX):
        powers.append(powers[-1] * base & _MASK)
    return np.array(powers, np.uint64)


_BASE: Final = _splitmix(1_001) | 1
_POWER: Final = _powers(_BASE)
_INVERSE: Final = _powers(pow(_BASE, -1, 1 << 64))
_BYTE: Final = np.array([_splitmix(i + 1) for i in range(256)], np.uint64)
_LEFT: Final = np.uint64(_splitmix(1_002) | 1)
_RIGHT: Final = np.uint64(_splitmix(1_003) | 1)
_MIX: Final = np.uint64(_splitmix(1_004) | 1)
_HALF: Final = np.uint64(32)
_SHIFT: Final = np.uint64(64 - BITS)
_ASCII: Final = 128
_LETTER: Final = np.array([i >= _ASCII or chr(i).isalpha() for i in range(256)])
SPACE: Final = np.array(
    [(i < _ASCII and not chr(i).isprintable()) or chr(i) == " " for i in range(256)]
)

_SEEN: Final = ~SPACE


def tokens(
    low: Bytes,
) -> tuple[Integers, Integers, Hashes, NDArray[np.bool_]]:
    """Runs of letters, and every other byte that is not a space: start, end, hash, is a word."""
    letter = _LETTER[low]
    opens = ~letter
    opens[1:] |= ~letter[:-1]
    opens[0] = True
    edges = opens.nonzero()[0]
    kept = _SEEN[low[edges[:-1]]]
    starts, ends = edges[:-1][kept], edges[1:][kept]
    prefix = np.zeros(len(low) + 1, np.uint64)
    np.cumsum(_BYTE[low] * _POWER[: len(low)], out=prefix[1:])
    hashes = (prefix[ends] - prefix[starts]) * _INVERSE[starts]
    return starts, ends, hashes, letter[starts]


def buckets(hashes: Hashes) -> tuple[Integers, Integers]:
    """The buckets of all tokens and of all neighbouring pairs, with how often each occurs."""
    pairs = hashes[:-1] * _LEFT + hashes[1:] * _RIGHT
    mixed = np.concatenate((hashes, pairs))
    mixed ^= mixed >> _HALF
    mixed *= _MIX
    buckets = np.sort((mixed >> _SHIFT).astype(np.int64))
    if not len(buckets):
        return buckets, buckets
    # Where each begins, and one past the last.
    edges = np.empty(len(buckets) + 1, np.bool_)
    edges[0] = edges[-1] = True
    np.not_equal(buckets[1:], buckets[:-1], out=edges[1:-1])
    bounds = edges.nonzero()[0]
    return buckets[bounds[:-1]], bounds[1:] - bounds[:-1]


def hash_word(word: str) -> int:
    """The hash that `tokens` gives to `word`, lower case."""
    total = sum(int(_BYTE[b]) * int(_POWER[i]) for i, b in enumerate(word.encode()))
    return total & _MASK
