"""From text to numbers: hashed words and word pairs, and a few dense measurements.

Vector operations over the bytes, without a Python loop over words. Training calls the same
function, so training and serving cannot diverge.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pointsman_server.engines.local.hashing import (
    BYTES_MAX,
    Hashes,
    Integers,
    Tokens,
    distinct,
    hash_word,
    tokens,
)
from pointsman_server.engines.local.hashing import buckets as buckets_of
from pointsman_server.engines.local.lexicon import GROUP_NAMES, GROUPS, TOPICAL

VERSION: Final = 1
"""Goes up with every change that moves a feature; an artefact names the one it was made for."""

HEAD: Final = 1_500
TAIL: Final = 500
"""The lengths read of a long text, in code points: at its start and at its end."""

LEAD: Final = 12

DENSE_NAMES: Final = (
    *("chars", "words", "word_length", "longest_word", "distinct_share", "upper_share"),
    *("digit_share", "non_ascii_share", "lines", "questions", "numbers", "commas", "quotes"),
    *("parentheses", "equals", "dollars", "backslashes", "percents", "carets", "code_marks"),
    *("blanks", "options", "stem_chars", "option_chars"),
    *(f"share_{name}" for name in TOPICAL),
    *(f"words_{name}" for name in GROUP_NAMES),
)

_TYPOGRAPHY: Final = str.maketrans("\u2018\u2019\u201c\u201d\u2013\u2014\u2026\u00a0", "''\"\"--. ")


_TAG: Final = re.compile(r"<([\w-]{1,40})>(.*)</\1>", re.DOTALL)
_EDGES: Final = " \t\r\n\"'`.?!"

_OPTION: Final = re.compile(rb"\n(?=.{4})\(?(?=[a-j][.)])", re.DOTALL)
_DIGITS: Final = bytes(chr(i) in "0123456789" for i in range(256))
_COUNTED: Final = (
    *("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789", "".join(map(chr, range(128, 256)))),
    *("\n", "?", ",", '"', "(", "=", "$", "\\", "%", "^", "{};<>`", "_"),
)
"""Bytes that are counted together; no byte stands in two of them."""
_MARKS: Final = bytes(
    next((at for at, marks in enumerate(_COUNTED) if chr(i) in marks), len(_COUNTED))
    for i in range(256)
)
_SHARES: Final = (
    *("distinct_share", "upper_share", "digit_share", "non_ascii_share"),
    *(f"share_{name}" for name in TOPICAL),
)
_IS_COUNT: Final = np.array([name not in _SHARES for name in DENSE_NAMES])
_TOPICAL: Final = [GROUP_NAMES.index(name) for name in TOPICAL]
_AT_ENGLISH: Final = GROUP_NAMES.index("english")


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """One text as numbers.

    `buckets` are distinct, ascending and go with `weights` (unit length); `dense` has one value
    per `DENSE_NAMES`, not yet standardised.
    """

    buckets: Integers
    weights: NDArray[np.floating]
    dense: NDArray[np.float32]
    plain: NDArray[np.float32]
    """The same before counts became logarithms."""
    words: int
    """Runs of letters."""
    lead_english: int
    """English function words among the first `LEAD` words."""


def bounded(text: str) -> str:
    """The part of `text` that is read."""
    return text if len(text) <= HEAD + TAIL else f"{text[:HEAD]}\n{text[-TAIL:]}"


def unwrapped(text: str) -> str:
    """`text` without a tag around it all, quotes around it all, or a mark at its end.

    They are the form of a request, not its content.
    """
    text = text.strip()
    if text.startswith("<") and (tag := _TAG.fullmatch(text)):
        text = tag[2]
    return text.strip(_EDGES)


def extract(text: str) -> Features:
    """Measure `text`. Any string will do, the empty one included."""
    text = bounded(unwrapped(text))
    if not text.isascii():
        text = text.translate(_TYPOGRAPHY)
    raw = text.encode("utf-8", "replace")
    low = (text.lower().encode("utf-8", "replace") + b" ")[:BYTES_MAX]
    found = tokens(low)
    words = found.words
    buckets, counts = buckets_of(found.hashes)
    weights = _LOG1P.take(counts)
    norm = math.sqrt(float(weights @ weights))
    groups = _groups(words)
    # Whole numbers, so that a product adds them up exactly, and in a third of the time of `sum`.
    grouped, lead = (_ALL_AND_LEAD[:, : len(words)] @ groups).tolist()
    shares = [grouped[at] / (len(words) + 1) for at in _TOPICAL]
    plain = np.array([*_measure(raw, low, found), *shares, *grouped], np.float32)
    dense = plain.copy()
    np.log1p(plain, out=dense, where=_IS_COUNT)
    return Features(
        buckets=buckets,
        weights=weights * np.float32(1.0 / (norm or 1.0)),
        dense=dense,
        plain=plain,
        words=len(words),
        lead_english=int(lead[_AT_ENGLISH]),
    )


def _lexicon() -> tuple[Hashes, NDArray[np.float32]]:
    """Hashes of all words of all groups, ascending, and for each the groups that it is in."""
    members: dict[int, set[int]] = {}
    for number, words in enumerate(GROUPS.values()):
        for word in words.split():
            members.setdefault(hash_word(word), set()).add(number)
    hashes = np.array(sorted(members), np.uint64)
    # One row more, all zero, for the words that are in no group.
    groups = np.zeros((len(hashes) + 1, len(GROUPS)), np.float32)
    for row, key in enumerate(hashes):
        groups[row, sorted(members[int(key)])] = 1.0
    return hashes, groups


_LEXICON_HASHES, _LEXICON_GROUPS = _lexicon()
_AT_OR_BEFORE: Final = np.concatenate((_LEXICON_HASHES, _LEXICON_HASHES[:1]))
"""The same, and one more for positions past the last."""
_ALL_AND_LEAD: Final = np.array(
    [[1.0] * BYTES_MAX, [1.0] * LEAD + [0.0] * (BYTES_MAX - LEAD)], np.float32
)
"""Sums the rows of all words, and of the first `LEAD`."""
_LOG1P: Final = np.log1p(np.arange(2 * BYTES_MAX), dtype=np.float32)
"""By how often something occurs."""


def _groups(words: Hashes) -> NDArray[np.float32]:
    """For each word the groups of the lexicon that it is in, words x groups of 0 and 1."""
    at = _LEXICON_HASHES.searchsorted(words)
    at[_AT_OR_BEFORE.take(at) != words] = len(_LEXICON_HASHES)
    return _LEXICON_GROUPS.take(at, axis=0)


def _options(low: bytes) -> tuple[int, int]:
    """Lines that begin like an answer option (`B. ...`, `(c) ...`), and where the first starts."""
    found = [match.end() for match in _OPTION.finditer(low)]
    return len(found), found[0] if found else len(low)


def _numbers(low: bytes) -> int:
    """Count runs of digits."""
    is_digit = b"\0" + low.translate(_DIGITS)
    return is_digit.count(b"\0\1")


def _measure(raw: bytes, low: bytes, found: Tokens) -> list[float]:
    """One value per name of `DENSE_NAMES`, up to those of the lexicon."""
    number, chars = len(found.words), found.seen
    marks = np.frombuffer(raw.translate(_MARKS), np.uint8)
    counts = np.bincount(marks, minlength=len(_COUNTED))[: len(_COUNTED)].tolist()
    upper, digit, wide = counts[:3]
    # Skip searches without a chance: lower case adds neither digits nor lines.
    options, stem = _options(low) if counts[3] else (0, len(low))
    longest = int(np.maximum.reduce(found.lengths)) if number else 0
    return [
        *(chars, number, chars / (number + 1), longest),
        *(distinct(found.words) / (number + 1), upper / (chars + 1)),
        *(digit / (chars + 1), wide / (len(raw) + 1), *counts[3:5]),
        *(_numbers(low) if digit else 0, *counts[5:]),
        *(options, stem, max(chars - stem, 0) / options if options else 0),
    ]
