"""Tokens of the default reader: words and parts of words in any script, as rows of a table.

Words that the vocabulary lacks are cut into its longest pieces from the left. Numbers stand for
their number of digits; characters of scripts that the vocabulary lacks share a few rows.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

CODE_POINTS: Final = 1_000
"""A reader reads as much of a text as the service sees."""

HEAD: Final = 48
TAIL: Final = 16
"""Tokens that are read of a long text: its first three quarters and its last quarter."""

_HEAD_CHARS: Final = 400
_TAIL_CHARS: Final = 130
"""Characters that are cut into pieces at the start and the end of a longer text."""

NUMBERS: Final = 6
FALLBACK: Final = 250
SPECIAL: Final = 8 + NUMBERS + FALLBACK
"""Rows before those of the vocabulary: padding, newline, gap, six spare to grow, numbers by their
digits, and characters that the vocabulary lacks."""

PADDING, NEWLINE, GAP = 0, 1, 2
_FIRST_NUMBER: Final = 8
_FIRST_FALLBACK: Final = 8 + NUMBERS
_LONGEST: Final = 16

_TOKEN: Final = re.compile(
    r" ?([^\W\d_A-Z]+|[A-Z][^\W\d_A-Z]+|[A-Z]+(?![^\W\d_A-Z])|\d+|\n|[^\w\s]|_+)"
)
"""Words (`parseHTTPHeader` is three), numbers, newlines and marks. A space before one is skipped
with it: by itself, it would be tried as the start of each."""
_ASCII_TOKEN: Final = re.compile(r" ?([a-z]+|[A-Z][a-z]+|[A-Z]+(?![a-z])|[0-9]+|\n|[^\w\s]|_+)")
"""The same for ASCII texts: ranges are compared faster than classes of characters."""


class Pieces:
    """Cuts texts into pieces of a vocabulary; the first piece has the row `SPECIAL`."""

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self._rows = {piece: row for row, piece in enumerate(vocabulary, SPECIAL)}
        self._rows["\n"] = NEWLINE
        self.size = SPECIAL + len(vocabulary)

    def encode(self, text: str) -> list[int]:
        """The rows of a text, at most `HEAD` + `TAIL`, and a gap where some were left out."""
        pattern = _ASCII_TOKEN
        if not text.isascii():
            text, pattern = unicodedata.normalize("NFKC", text), _TOKEN
        if len(text) <= _HEAD_CHARS + _TAIL_CHARS:
            found = self._rows_of(pattern.findall(text))
            if len(found) <= HEAD + TAIL:
                return found
            return [*found[:HEAD], GAP, *found[-TAIL:]]
        head = self._rows_of(pattern.findall(text, 0, _HEAD_CHARS))
        tail = self._rows_of(pattern.findall(text, len(text) - _TAIL_CHARS))
        return [*head[:HEAD], GAP, *tail[-TAIL:]]

    def _rows_of(self, tokens: list[str]) -> list[int]:
        rows = self._rows
        found: list[int] = []
        last = -1
        for token in tokens:
            row = rows.get(token) or rows.get(token := token.lower())
            if row is None:
                self._unknown(token, found)
                last = -1
            elif row != last or token.isalpha():
                # Rulers and runs of blank lines count once.
                found.append(row)
                last = row
        return found

    def _unknown(self, token: str, found: list[int]) -> None:
        """Append the rows of a token that is no piece."""
        if token.isdecimal():
            found.append(_FIRST_NUMBER + min(len(token), NUMBERS) - 1)
            return
        rows, at, end = self._rows, 0, len(token)
        while at < end:
            for stop in range(min(end, at + _LONGEST), at, -1):
                row = rows.get(token[at:stop])
                if row is not None:
                    found.append(row)
                    at = stop
                    break
            else:
                found.append(_FIRST_FALLBACK + ord(token[at]) % FALLBACK)
                at += 1
