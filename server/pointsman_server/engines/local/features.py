"""From text to numbers: hashed words and word pairs, and a few dense measurements.

Vector operations over the bytes, without a Python loop over words. Training calls this very
function, so what is learnt and what is served cannot drift apart.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pointsman_server.engines.local.hashing import (
    BYTES_MAX,
    SPACE,
    Bytes,
    Hashes,
    Integers,
    hash_word,
    tokens,
)
from pointsman_server.engines.local.hashing import buckets as buckets_of
from pointsman_server.engines.local.lexicon import GROUP_NAMES, GROUPS, TOPICAL

VERSION: Final = 1
"""Goes up with every change that moves a feature; an artefact names the one it was made for."""

HEAD: Final = 1_500
TAIL: Final = 500
"""What is read of a long text, in code points: its start and its end."""

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

_DIGIT: Final = np.array([chr(i) in "0123456789" for i in range(256)])
_NEWLINE: Final = 10
_COUNTED: Final = (
    *("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789", "".join(map(chr, range(128, 256)))),
    *("\n", "?", ",", '"', "(", "=", "$", "\\", "%", "^", "{};<>`", "_"),
)
_MARKS: Final = np.array([[chr(i) in marks for marks in _COUNTED] for i in range(256)], np.float32)
_SHARES: Final = (
    *("distinct_share", "upper_share", "digit_share", "non_ascii_share"),
    *(f"share_{name}" for name in TOPICAL),
)
_IS_COUNT: Final = np.array([name not in _SHARES for name in DENSE_NAMES])
_AT_NUMBERS: Final = DENSE_NAMES.index("numbers")
_AT_OPTIONS: Final = DENSE_NAMES.index("options")
_AT_GROUPS: Final = len(DENSE_NAMES) - len(GROUP_NAMES)
_AT_SHARES: Final = _AT_GROUPS - len(TOPICAL)
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

    They say how a request was put, not what it asks.
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
    raw = np.frombuffer(text.encode("utf-8", "replace"), np.uint8)
    low = np.frombuffer((text.lower().encode("utf-8", "replace") + b" ")[:BYTES_MAX], np.uint8)
    starts, ends, hashes, is_word = tokens(low)
    buckets, counts = buckets_of(hashes)
    weights = np.log1p(counts, dtype=np.float32)
    norm = float(np.sqrt((weights * weights).sum()))
    words = hashes[is_word]
    groups = _groups(words)
    plain = _measure(raw, low, (ends - starts)[is_word], words)
    # Whole numbers, so that a product adds them up exactly, and in a third of the time of `sum`.
    grouped = np.ones(len(words), np.float32) @ groups
    plain[_AT_GROUPS:] = grouped
    plain[_AT_SHARES:_AT_GROUPS] = grouped[_TOPICAL] / (len(words) + 1)
    dense = plain.copy()
    np.log1p(plain, out=dense, where=_IS_COUNT)
    return Features(
        buckets=buckets,
        weights=weights * np.float32(1.0 / (norm or 1.0)),
        dense=dense,
        plain=plain,
        words=len(words),
        lead_english=int(groups[:LEAD, _AT_ENGLISH].sum()),
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


def _groups(words: Hashes) -> NDArray[np.float32]:
    """For each word the groups of the lexicon that it is in, words x groups of 0 and 1."""
    at = np.searchsorted(_LEXICON_HASHES, words)
    at[at == len(_LEXICON_HASHES)] = 0
    at[_LEXICON_HASHES[at] != words] = len(_LEXICON_HASHES)
    found: NDArray[np.float32] = _LEXICON_GROUPS[at]
    return found


def _options(low: Bytes) -> tuple[int, int]:
    """Lines that begin like an answer option (`B. ...`, `(c) ...`), and where the first starts."""
    lines = np.flatnonzero(low == _NEWLINE) + 1
    lines = lines[lines < len(low) - 3]
    lines = lines + (low[lines] == ord("("))
    label, mark = low[lines], low[lines + 1]
    is_option = (
        (label >= ord("a")) & (label <= ord("j")) & ((mark == ord(".")) | (mark == ord(")")))
    )
    found = lines[is_option]
    return len(found), int(found[0]) if len(found) else len(low)


def _numbers(low: Bytes) -> int:
    """Runs of digits."""
    is_digit = _DIGIT[low]
    return int(np.count_nonzero(is_digit[1:] & ~is_digit[:-1])) + int(is_digit[0])


def _measure(
    raw: Bytes,
    low: Bytes,
    lengths: Integers,
    words: Hashes,
) -> NDArray[np.float32]:
    """One value per name of `DENSE_NAMES`; those of the lexicon are left open."""
    number = len(words)
    # Bytes that are seen: how a text is spaced says nothing of it.
    chars = len(low) - int(np.count_nonzero(SPACE[low]))
    marks = np.bincount(raw, minlength=256).astype(np.float32) @ _MARKS
    upper, digit, wide = marks[:3].tolist()
    # What no text has is not looked for: lower case adds neither digits nor lines.
    options, stem = _options(low) if marks[3] else (0, len(low))
    values = np.empty(len(DENSE_NAMES), np.float32)
    values[:8] = (
        *(chars, number, chars / (number + 1), int(lengths.max()) if number else 0),
        *(len(set(words.tolist())) / (number + 1), upper / (chars + 1)),
        *(digit / (chars + 1), wide / (len(raw) + 1)),
    )
    values[8:_AT_NUMBERS] = marks[3:5]
    values[_AT_NUMBERS] = _numbers(low) if digit else 0
    values[_AT_NUMBERS + 1 : _AT_OPTIONS] = marks[5:]
    tail = max(chars - stem, 0) / options if options else 0
    values[_AT_OPTIONS:_AT_SHARES] = (options, stem, tail)
    return values
