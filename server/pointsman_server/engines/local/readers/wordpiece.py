"""BERT's uncased WordPiece in plain Python: the semantic reader's tokens.

It gives the ids that the `tokenizers` package gives for `bert-base-uncased`, without that package
and its dependency, a client for a model hub.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Final

HEAD: Final = 64
TAIL: Final = 16
"""Tokens that are read of a long text: its first and its last."""

_LONGEST_WORD: Final = 100
_CJK: Final = (
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002a6df\U0002a700-\U0002ebef"
    "\U0002f800-\U0002fa1f"
)
_ASCII_MARKS: Final = re.escape("".join(chr(i) for i in range(33, 127) if not chr(i).isalnum()))
_WORD: Final = re.compile(rf"[{_ASCII_MARKS}{_CJK}]|[^\s{_ASCII_MARKS}{_CJK}]+")


class WordPieces:
    """Cuts texts into ids of a vocabulary."""

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self._ids: Mapping[str, int] = {piece: at for at, piece in enumerate(vocabulary)}
        self._unknown = self._ids["[UNK]"]
        self._first, self._last = self._ids["[CLS]"], self._ids["[SEP]"]

    def encode(self, text: str) -> list[int]:
        """The ids of a text between [CLS] and [SEP], `HEAD` + `TAIL` of them at most."""
        found: list[int] = []
        for word in _words(text):
            self._cut(word, found)
        if len(found) > HEAD + TAIL:
            found = found[:HEAD] + found[-TAIL:]
        return [self._first, *found, self._last]

    def _cut(self, word: str, found: list[int]) -> None:
        """Append the longest pieces of a word from the left."""
        ids = self._ids
        whole = ids.get(word)
        if whole is not None:
            found.append(whole)
            return
        if len(word) > _LONGEST_WORD:
            found.append(self._unknown)
            return
        start = 0
        pieces: list[int] = []
        while start < len(word):
            stop = len(word)
            while stop > start:
                piece = word[start:stop] if start == 0 else f"##{word[start:stop]}"
                if piece in ids:
                    break
                stop -= 1
            else:
                found.append(self._unknown)
                return
            pieces.append(ids[piece])
            start = stop
        found += pieces


def _words(text: str) -> list[str]:
    """Lower-case words without accents, marks apart."""
    if text.isascii():
        return _WORD.findall(_without_controls(text).lower())
    plain = unicodedata.normalize("NFD", _without_controls(text))
    plain = "".join(c for c in plain if unicodedata.category(c) != "Mn").lower()
    return [
        part
        for word in _WORD.findall(plain)
        for part in (_apart(word) if not word.isalnum() else (word,))
    ]


def _apart(word: str) -> list[str]:
    """A word with marks of other scripts, split at them."""
    parts = [""]
    for character in word:
        if unicodedata.category(character).startswith("P"):
            parts += [character, ""]
        else:
            parts[-1] += character
    return [part for part in parts if part]


_CONTROLS: Final = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd\u00ad\u200b-\u200f\u2028-\u202e"
    r"\u2060-\u206f\ufeff]"
)


def _without_controls(text: str) -> str:
    return _CONTROLS.sub("", text)
