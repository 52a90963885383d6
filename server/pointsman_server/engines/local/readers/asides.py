"""Asides: sentences at a request's edges that say nothing of its task.

Greetings, thanks, signatures and talk that asks for a dearer model ("this needs the best model")
are separated from sentences of a task by a small network over the table of pieces. They are left
out before anything else is read, so that they can neither raise nor lower an estimate. Most
sentences hardly resemble one: the mean evidence of their pieces spares them the network.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pointsman_server.core.errors import ArtefactInvalid
from pointsman_server.engines.local.readers.frames import uncourteous
from pointsman_server.engines.local.readers.pieces import NEWLINE, Pieces

Floats = NDArray[np.float32]

LONGEST: Final = 220
"""Characters of the longest aside."""

MOST: Final = 3
"""Asides that are left out at each edge."""

WEIGHTS: Final = ("aside_middle", "aside_middle_bias", "aside_head")
"""The network's weights: its last value is the head's bias."""
EVIDENCE: Final = "aside_evidence"
"""Of each piece, how much it speaks for an aside."""
ARRAYS: Final = (*WEIGHTS, EVIDENCE)

_BOUNDARY: Final = re.compile(
    r"[.!?:。！？\n](?:(?<=[.!?:])(\s+)|(?<=[。！？])(\s*)|(?<=\n)\n*)"  # noqa: RUF001
)
"""A mark or a newline comes first, so that the search skips all other characters at once."""
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
        # A mark belongs to the sentence that it ends; a newline belongs to none.
        end = match.start() if match.lastindex is None else match.start(match.lastindex)
        if end > start:
            found.append((start, end))
        start = match.end()
    if start < len(text):
        found.append((start, len(text)))
    return found


class Asides:
    """Leaves asides out of texts."""

    def __init__(
        self, arrays: Mapping[str, NDArray[Any]], *, pieces: Pieces, meta: Mapping[str, Any]
    ) -> None:
        """`meta` is an artefact's header. Raises `ArtefactInvalid` without the thresholds."""
        self._pieces = pieces
        # A list: numbers of an array would be made into objects at each reading.
        self._evidence: list[float] = arrays[EVIDENCE].tolist()
        self._table: NDArray[np.int8] = arrays["table"]
        self._scale = arrays["scale"].astype(np.float32)[:, None]
        weights = (arrays[name].astype(np.float32) for name in WEIGHTS)
        self._middle, self._middle_bias, head = weights
        self._head, self._head_bias = head[:-1], head[-1]
        try:
            self._threshold = float(meta["aside_threshold"])
            self._least_evidence = float(meta["aside_least_evidence"])
        except (KeyError, TypeError, ValueError) as error:
            raise ArtefactInvalid("its thresholds of asides cannot be read") from error
        if not (math.isfinite(self._threshold) and math.isfinite(self._least_evidence)):
            raise ArtefactInvalid("its thresholds of asides are not finite")

    def without(self, text: str) -> str:
        """`text` without asides at its edges; all of it where it is nothing else."""
        if "\n" in text:
            text = self._peeled(text, lines(text))
        return self._peeled(text, sentences(text))

    def _peeled(self, text: str, parts: list[Span]) -> str:
        if not self._any_at_edges(text, parts):
            return text
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

    def _any_at_edges(self, text: str, parts: list[Span]) -> bool:
        """Whether the first or the last part is an aside: both at once, as few texts have any."""
        if len(parts) <= 1:
            return False
        edges = [text[a:b] for a, b in (parts[0], parts[-1]) if b - a <= LONGEST]
        return self._is_any_aside(edges)

    def _is_any_aside(self, parts: list[str]) -> bool:
        """Whether the network takes one of these sentences for an aside."""
        # "Prove it, please" is a task in polite words.
        encoded = (self._pieces.encode(uncourteous(part)) for part in parts)
        possible = [rows for rows in encoded if self.is_possible(rows)]
        return bool(possible) and max(self.logits(possible)) > self._threshold

    def is_possible(self, rows: list[int]) -> bool:
        """Whether a sentence of these pieces has the evidence that nearly all asides have."""
        total = sum(map(self._evidence.__getitem__, rows))
        return total >= self._least_evidence * len(rows)

    def logits(self, rows: list[list[int]]) -> list[float]:
        """Log odds that sentences of these pieces are asides, by the network."""
        pooled = _features(rows, table=self._table, scale=self._scale)
        hidden = pooled @ self._middle
        hidden += self._middle_bias
        np.maximum(hidden, 0.0, out=hidden)
        found: list[float] = (hidden @ self._head + self._head_bias).tolist()
        return found

    def _is_aside(self, text: str, part: Span) -> bool:
        start, end = part
        return end - start <= LONGEST and self._is_any_aside([text[start:end]])


def features(rows: list[int], *, table: NDArray[np.int8], scale: Floats) -> Floats:
    """Mean and maximum of the pieces' vectors, and how many they are."""
    found: Floats = _features([rows], table=table, scale=scale)[0]
    return found


def _features(texts: list[list[int]], *, table: NDArray[np.int8], scale: Floats) -> Floats:
    """The features of each text."""
    texts = [text or [NEWLINE] for text in texts]
    at = np.array([row for text in texts for row in text], np.intp)
    x = table.take(at, axis=0) * scale.take(at, axis=0)
    width = x.shape[1]
    found = np.empty((len(texts), 2 * width + 1), np.float32)
    shares = np.zeros((len(texts), len(at)), np.float32)
    # A product and a `reduce` for each text take half as long as `reduceat`.
    start = 0
    for number, text in enumerate(texts):
        end = start + len(text)
        shares[number, start:end] = 1.0 / len(text)
        np.maximum.reduce(x[start:end], out=found[number, width:-1])
        found[number, -1] = len(text) / _PIECES
        start = end
    np.matmul(shares, x, out=found[:, :width])
    return found


_PIECES: Final = 16
"""Pieces of a sentence whose length counts as 1."""
