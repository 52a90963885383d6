"""An upper estimate of the tokens of texts and media, from samples of a bounded size.

Rates are tokens a character, measured on tokenizers of current models and rounded up; a text is
rated by windows spread over it, and a window by its script and, in ASCII, by its kind of text.
A tokenizer would read every character: some 100 ns each, against under 1 ns here on long texts.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping
from math import ceil

ENGLISH = 0.25
"""Of ASCII prose and code; measured 0.20 to 0.25. Nothing is rated lower."""

_WINDOW = 256
_MOST_WINDOWS = 16
_WINDOW_EVERY = 4_096
_SHORT = 64
"""Shorter ASCII texts are names and labels: rated as they stand, without a look at their kind."""
_BUDGET = 16_384
"""Code points of ASCII that are sampled freely; later short texts get the average so far, and of
long ones a single window is read."""

# The start of each script and its rate, in order of code points.
_SCRIPTS: tuple[tuple[int, float], ...] = (
    (0x0000, ENGLISH),
    (0x0080, 0.5),  # Latin with marks
    (0x0370, 0.5),  # Greek
    (0x0400, 0.4),  # Cyrillic
    (0x0530, 0.8),  # Armenian
    (0x0590, 0.5),  # Hebrew
    (0x0600, 0.45),  # Arabic
    (0x0700, 0.9),  # Syriac and others
    (0x0900, 0.55),  # scripts of India
    (0x0E00, 0.3764),  # Thai
    (0x0E80, 0.9),  # Lao, Tibetan, Burmese, Georgian and others
    (0x1100, 0.7),  # Hangul letters
    (0x1200, 1.0),  # Ethiopic and others
    (0x2000, 0.6),  # punctuation and symbols
    (0x2E80, 0.55),  # Han radicals, kana
    (0x3400, 0.545),  # Han
    (0xA000, 1.0),
    (0xAC00, 0.65),  # Hangul
    (0xD7B0, 1.0),
    (0xF900, 0.7),
    (0xFF00, 0.7),  # full-width forms
    (0x10000, 1.5),
    (0x1F000, 2.0),  # emoji
    (0x20000, 1.5),  # rare Han
)
_STARTS = tuple(start for start, _ in _SCRIPTS)
_RATES = tuple(rate for _, rate in _SCRIPTS)

# Pieces of ASCII that no token spans: words by their case, digits, runs of marks, blanks.
_PIECES = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]|[^\sA-Za-z0-9]{1,3}|\s{2,16}")
_PIECE = 0.85
"""Tokens a piece: blanks and marks merge with the words beside them."""
_SWITCH = re.compile(r"[A-Za-z][0-9]|[0-9][A-Za-z]")
_MARKS = re.compile(r"[^\sA-Za-z0-9]")
_HEX = 0.8
"""Of hashes, hex and Base64, where letters and digits alternate."""
_MINIFIED = 0.643
"""Of JSON and other notation without blanks."""

IMAGE = 1_500
"""Of an image at full detail: providers count 1,100 to 1,600."""
_LOW_DETAIL = 85
_PAGE = 2_500
"""Of a page of a document, its text and its picture together."""
_BYTES_A_PAGE = 100_000
_PAGES_UNKNOWN = 4
"""Of a document that is named and not sent."""
_BYTES_A_TOKEN: Mapping[str, int] = {"audio": 500, "video": 1_000}
_MEDIUM_UNKNOWN = 2_000


class TextMeter:
    """Adds up the tokens of texts; `tokens` is the sum so far."""

    __slots__ = ("_budget", "_sampled_tokens", "_sampled_width", "tokens")

    def __init__(self) -> None:
        self.tokens = 0.0
        self._budget = _BUDGET
        self._sampled_width = 0
        self._sampled_tokens = 0.0

    def add(self, text: str) -> None:
        """Count one text."""
        length = len(text)
        if length <= _SHORT and text.isascii():
            self.tokens += length * ENGLISH
        elif length < _WINDOW_EVERY and text.isascii() and self._budget <= 0:
            self.tokens += length * self._average()
        else:
            self.tokens += length * self._rate(text)

    def _rate(self, text: str) -> float:
        """Tokens a character of one text, by windows spread over it."""
        length = len(text)
        spent = self._budget <= 0 and text.isascii()
        count = 1 if spent else min(_MOST_WINDOWS, length // _WINDOW_EVERY + 2)
        if length <= count * _WINDOW:
            windows = [text]
        elif spent:
            middle = (length - _WINDOW) // 2
            windows = [text[middle : middle + _WINDOW]]
        else:
            step = (length - _WINDOW) / (count - 1)
            windows = [text[int(i * step) : int(i * step) + _WINDOW] for i in range(count)]
        width = sum(map(len, windows))
        tokens = sum(map(_tokens_of, windows))
        if text.isascii():
            self._budget -= width
            self._sampled_width += width
            self._sampled_tokens += tokens
        return tokens / width if width else ENGLISH

    def _average(self) -> float:
        return max(ENGLISH, self._sampled_tokens / max(1, self._sampled_width))


def media_tokens(kind: str, *, payload: int, low_detail: bool = False) -> int:
    """Tokens of one image, file, audio or video; `payload`: its bytes, 0 where it is only named."""
    if kind == "image":
        return _LOW_DETAIL if low_detail else IMAGE
    if kind == "file":
        pages = ceil(payload / _BYTES_A_PAGE) if payload else _PAGES_UNKNOWN
        return pages * _PAGE
    return ceil(payload / _BYTES_A_TOKEN[kind]) if payload else _MEDIUM_UNKNOWN


def _tokens_of(window: str) -> float:
    if window.isascii():
        return max(len(window) * _floor(window), len(_PIECES.findall(window)) * _PIECE)
    ascii_part = "".join(each for each in window if each < "\x80")
    rest = sum(_RATES[bisect_right(_STARTS, ord(each)) - 1] for each in window if each >= "\x80")
    return rest + (_tokens_of(ascii_part) if ascii_part else 0.0)


def _floor(window: str) -> float:
    """The lowest rate of an ASCII window, by the kind of text that it is."""
    width = len(window)
    if window.count(" ") + window.count("\n") > width * 0.03:
        return ENGLISH
    if len(_SWITCH.findall(window)) > width * 0.1:
        return _HEX
    return _MINIFIED if len(_MARKS.findall(window)) > width * 0.22 else ENGLISH
