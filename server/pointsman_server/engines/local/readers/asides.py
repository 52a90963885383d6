"""Asides: sentences at a request's edges that say nothing of its task.

Greetings, thanks, signatures and talk that asks for a dearer model ("this needs the best model")
are separated from sentences of a task by a small network over the table of pieces. They are left
out before anything else is read, so that they can neither raise nor lower an estimate.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pointsman_server.engines.local.readers.pieces import Pieces

Floats = NDArray[np.float32]

LONGEST: Final = 220
"""Characters of the longest aside."""

MOST: Final = 3
"""Asides that are left out at each edge."""

ARRAYS: Final = ("aside_middle", "aside_middle_bias", "aside_head")
"""The network's weights: its last value is the head's bias."""

_BOUNDARY: Final = re.compile(r"(?<=[.!?:])\s+|(?<=[。！？])\s*|\n+")  # noqa: RUF001


_LINE: Final = re.compile(r"\n+")

Span = tuple[int, int]
"""Start and end in a text."""


def sentences(text: str) -> list[Span]:
    """The sentences of `text`; a newline and a colon end one too."""
    return _split(text, _BOUNDARY)


def lines(text: str) -> list[Span]:
    """The lines of `text` that are not empty."""
    return _split(text, _LINE)


def _split(text: str, boundary: re.Pattern[str]) -> list[Span]:
    found, start = [], 0
    for match in boundary.finditer(text):
        if match.start() > start:
            found.append((start, match.start()))
        start = match.end()
    if start < len(text):
        found.append((start, len(text)))
    return found


class Asides:
    """Leaves asides out of texts."""

    def __init__(
        self, arrays: Mapping[str, NDArray[Any]], *, pieces: Pieces, threshold: float
    ) -> None:
        self._pieces = pieces
        self._table: NDArray[np.int8] = arrays["table"]
        self._scale = arrays["scale"].astype(np.float32)[:, None]
        self._middle, self._middle_bias, self._head = (
            arrays[name].astype(np.float32) for name in ARRAYS
        )
        self._threshold = threshold

    def without(self, text: str) -> str:
        """`text` without asides at its edges; all of it where it is nothing else."""
        if "\n" in text:
            text = self._peeled(text, lines(text))
        return self._peeled(text, sentences(text))

    def _peeled(self, text: str, parts: list[Span]) -> str:
        first, last = 0, len(parts)
        while first < min(last - 1, MOST) and self._is_aside(text, parts[first]):
            first += 1
        while (
            len(parts) - last < MOST and last - 1 > first and self._is_aside(text, parts[last - 1])
        ):
            last -= 1
        if first == 0 and last == len(parts):
            return text
        return text[parts[first][0] : parts[last - 1][1]]

    def logit(self, sentence: str) -> float:
        """Log odds that a sentence is an aside."""
        pooled = features(self._pieces.encode(sentence), table=self._table, scale=self._scale)
        hidden = np.maximum(pooled @ self._middle + self._middle_bias, 0.0)
        return float(hidden @ self._head[:-1] + self._head[-1])

    def _is_aside(self, text: str, part: Span) -> bool:
        start, end = part
        return end - start <= LONGEST and self.logit(text[start:end]) > self._threshold


def features(rows: list[int], *, table: NDArray[np.int8], scale: Floats) -> Floats:
    """Mean and maximum of the pieces' vectors, and how many they are."""
    at = rows or [1]
    x = table.take(at, axis=0) * scale.take(at, axis=0)
    mean = np.add.reduce(x) / np.float32(len(at))
    return np.concatenate((mean, np.maximum.reduce(x), np.array([len(at) / 16], np.float32)))
