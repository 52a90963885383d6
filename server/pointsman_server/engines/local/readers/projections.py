"""The first convolution of the default reader, as sums of products that do not depend on the text.

A piece's vector times the weights for each of its three places is the same in every text. It is
computed when the piece is first read. Pages of the array that no piece has reached cost nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

CAPACITY: Final = 16_384
"""Pieces with products, 1.5 KB each with 128 channels. One more, and all are dropped: some 12,000
diverse requests have 24,000 pieces, and two thirds of them bring a new one then; without a bound,
every second request does."""

_ROWS: Final = 16
"""Pieces that are multiplied at once."""


class PieceProjections:
    """Convolves texts of pieces. Safe in threads."""

    def __init__(
        self,
        *,
        table: NDArray[np.int8],
        scale: Floats,
        weights: Floats,
        bias: Floats,
        capacity: int = CAPACITY,
    ) -> None:
        """`weights` are those of the piece before, of the piece itself, and of the piece behind.

        `scale` has a row for each piece. `capacity` is at least the length of a text.
        """
        self._table, self._scale, self._bias = table, scale, bias
        width, channels = table.shape[1], len(bias)
        places = weights.reshape(3, width, channels).swapaxes(0, 1)
        self._weights = np.ascontiguousarray(places.reshape(width, 3 * channels))
        self._capacity = capacity
        self._products = np.zeros((3, capacity + 1, channels), np.float32)
        self._before, self._here, self._behind = self._products
        self._slots = np.zeros(len(table), np.intp)
        """Of each piece, its row of products; 0: it has none."""
        self._used = 0
        self._lock = Lock()

    def __len__(self) -> int:
        """Pieces with products."""
        return self._used

    def convolved(self, pieces: Sequence[int]) -> Floats:
        """Pieces x channels: each piece's product, its neighbours' and the bias."""
        at = np.array(pieces, np.intp)
        with self._lock:
            slots = self._slots.take(at)
            if not slots.all():
                slots = self._added(at, slots)
            y: Floats = self._here.take(slots, axis=0)
            y[1:] += self._before.take(slots[:-1], axis=0)
            y[:-1] += self._behind.take(slots[1:], axis=0)
        return y

    def _added(self, at: NDArray[np.intp], slots: NDArray[np.intp]) -> NDArray[Any]:
        """The slots of all pieces, after products were computed for those that have none."""
        new = np.unique(at[slots == 0])
        if self._used + len(new) > self._capacity:
            self._slots.fill(0)
            self._used = 0
            new = np.unique(at)
        first, self._used = self._used + 1, self._used + len(new)
        products = self._multiplied(new)
        products[:, 1] += self._bias
        self._products[:, first : self._used + 1] = products.swapaxes(0, 1)
        self._slots[new] = np.arange(first, self._used + 1)
        return self._slots.take(at)

    def _multiplied(self, pieces: NDArray[np.intp]) -> Floats:
        """Pieces x 3 places x channels: each piece's vector times the weights.

        The rounding of a product depends on the shape of its matrices. With one shape, a piece has
        the same product in every process, whatever was read before.
        """
        padded = np.zeros(-(-len(pieces) // _ROWS) * _ROWS, np.intp)
        padded[: len(pieces)] = pieces
        x: Floats = self._table.take(padded, axis=0) * self._scale.take(padded, axis=0)
        blocks = x.reshape(-1, _ROWS, x.shape[1]) @ self._weights
        return blocks.reshape(len(padded), 3, -1)[: len(pieces)]
