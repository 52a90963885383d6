"""Words as numbers: 64-bit hashes of all tokens of a text in a few vector operations.

The hash of a word is a polynomial over its bytes, modulo 2**64: its share of the polynomial over
the text, divided by the power at which the word begins. That division is a product, since every odd
base has an inverse there.

Between other work of a server, an operation on arrays of any size costs two or three
microseconds, so the number of operations determines the cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

BITS: Final = 15
"""The hashed space has 2**BITS buckets."""

BYTES_MAX: Final = 8_002
"""The longest text that can be hashed, in bytes of UTF-8 with a space at its end."""

Hashes = NDArray[np.uint64]
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
_GAP, _LETTER, _MARK = 0, 1, 2


def _kind(byte: int) -> int:
    if byte >= _ASCII or chr(byte).isalpha():
        return _LETTER
    return _MARK if chr(byte).isprintable() and chr(byte) != " " else _GAP


_KINDS: Final = bytes(map(_kind, range(256)))
"""For each byte whether it is a gap, a letter or a mark: `bytes.translate` takes a fraction of the
time of an index into an array."""
_OUTSIDE: Final = bytes(kind != _LETTER for kind in _KINDS)


@dataclass(frozen=True, slots=True)
class Tokens:
    """Runs of letters, and every other byte that is not a space."""

    hashes: Hashes
    """Of all of them, in order."""
    words: Hashes
    """Of the runs of letters."""
    lengths: Integers
    """Bytes of each of those."""
    seen: int
    """Bytes that are not spaces."""


def tokens(low: bytes) -> Tokens:
    """The tokens of a text that ends with a space; it has `BYTES_MAX` bytes at most."""
    kinds = low.translate(_KINDS)
    # Each byte with the one before it: outside of words, or just come into one.
    outside = np.frombuffer((b" " + low).translate(_OUTSIDE), np.bool_)
    edges = (outside[1:] | outside[:-1]).nonzero()[0]
    begun = np.frombuffer(kinds, np.uint8).take(edges)
    # The last edge is that of the space at the end.
    kept = begun[:-1].nonzero()[0]
    starts, ends = edges.take(kept), edges.take(kept + 1)
    terms = _BYTE.take(np.frombuffer(low, np.uint8))
    terms *= _POWER[: len(low)]
    hashes = np.add.reduceat(terms, edges).take(kept)
    hashes *= _INVERSE.take(starts)
    is_word = begun.take(kept) == _LETTER
    lengths = (ends - starts)[is_word]
    return Tokens(hashes, hashes[is_word], lengths, len(low) - kinds.count(_GAP))


def buckets(hashes: Hashes) -> tuple[Integers, Integers]:
    """The buckets of all tokens and of all neighbouring pairs, with how often each occurs."""
    pairs = hashes[:-1] * _LEFT + hashes[1:] * _RIGHT
    mixed = np.concatenate((hashes, pairs))
    mixed ^= mixed >> _HALF
    mixed *= _MIX
    mixed >>= _SHIFT
    buckets = mixed.view(np.int64)
    buckets.sort()
    if not len(buckets):
        return buckets, buckets
    # The start of each, and one past the last.
    edges = np.empty(len(buckets) + 1, np.bool_)
    edges[0] = edges[-1] = True
    np.not_equal(buckets[1:], buckets[:-1], out=edges[1:-1])
    bounds = edges.nonzero()[0]
    return buckets.take(bounds[:-1]), bounds[1:] - bounds[:-1]


def distinct(hashes: Hashes) -> int:
    """The number of distinct hashes."""
    if not len(hashes):
        return 0
    ordered = hashes.copy()
    ordered.sort()
    return 1 + int(np.count_nonzero(ordered[1:] != ordered[:-1]))


def hash_word(word: str) -> int:
    """The hash that `tokens` gives to `word`, lower case."""
    total = sum(int(_BYTE[b]) * int(_POWER[i]) for i, b in enumerate(word.encode()))
    return total & _MASK
