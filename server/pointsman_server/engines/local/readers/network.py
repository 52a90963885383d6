"""The default reader's network: a text's pieces to eleven logits, in some thirty numpy operations.

A table of pieces (int8, a scale a row), a convolution over three neighbours, a dilated one that
adds to it, a gate; attention, mean and maximum over the text, three measures of its length, one
hidden layer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pointsman_server.core.errors import ArtefactInvalid
from pointsman_server.engines.local.readers.asides import ARRAYS as ASIDE_ARRAYS
from pointsman_server.engines.local.readers.pieces import HEAD, SPECIAL, TAIL, Pieces
from pointsman_server.engines.local.readers.projections import PieceProjections

Floats = NDArray[np.float32]

OUTPUTS: Final = 11
"""Four say that the effort is above 1, 2, 3, 4; five are the domains'; needs_info; turn."""

DILATION: Final = 2
GATE_FLOOR: Final = 0.1
"""Keeps the mean of a text finite whose gates are all closed."""
SIZES: Final = 3
MOST: Final = HEAD + 1 + TAIL
"""Pieces of a text, with the gap."""

_EMPTY: Final = [1]
"""A text without pieces is a newline."""


def sizes(text: str) -> list[float]:
    """Three measures of length: characters of words, words, lines; logarithms around 0.

    Further blanks between words count for nothing.
    """
    words = text.split()
    return [
        (math.log1p(len("".join(words))) - 4.3) / 2,
        (math.log1p(len(words)) - 2.5) / 2,
        (math.log1p(text.count("\n")) - 1.0) / 2,
    ]


class Network:
    """Applies the weights of an artefact. Raises `ArtefactInvalid` where they do not fit."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        _check(arrays)
        vocabulary = arrays["vocabulary"].tobytes().decode().split("\n")
        self.pieces = Pieces(vocabulary)
        wide = {name: array.astype(np.float32) for name, array in arrays.items() if name in _WIDE}
        self._projections = PieceProjections(
            table=arrays["table"],
            scale=wide["scale"][:, None],
            weights=wide["first"],
            bias=wide["first_bias"],
        )
        # Three products need no copy of each row beside its neighbours.
        self._before, self._here, self._behind = map(_blocks, np.split(wide["second"], 3))
        # A row for each piece: adding one row to all takes twice as long, as a number does.
        self._second_bias = np.tile(wide["second_bias"], (MOST, 1))
        self._zeros = np.zeros_like(self._second_bias)
        self._measures = np.stack((-wide["gate"], wide["attend"]))
        self._gate_bias = wide["gate_bias"]
        self._middle, self._middle_bias = wide["middle"], wide["middle_bias"]
        self._heads, self._heads_bias = wide["heads"], wide["heads_bias"]

    def pooled(self, text: str) -> Floats:
        """The network's view of `text` before its hidden layer."""
        z = self._convolved(self.pieces.encode(text) or _EMPTY)
        # A gate lets the network pass over greetings and talk about the request.
        shares = self._measures @ z.T
        gate, attend = shares
        gate -= self._gate_bias
        attend -= np.maximum.reduce(attend)
        np.exp(shares, out=shares)
        gate += _ONE
        np.reciprocal(gate, out=gate)
        attend *= gate
        totals = np.add.reduce(shares, axis=1, keepdims=True)
        totals += _FLOORS
        sums = shares @ z
        sums /= totals
        z *= gate[:, None]
        measures = np.array(sizes(text), np.float32)
        return np.concatenate((sums[1], sums[0], np.maximum.reduce(z), measures))

    def _convolved(self, rows: list[int]) -> Floats:
        """Pieces x channels: the meaning of each piece and its neighbours."""
        zeros = self._zeros[: len(rows)]
        y = self._projections.convolved(rows)
        np.maximum(y, zeros, out=y)
        z = _product(y, self._here)
        z[DILATION:] += _product(y[:-DILATION], self._before)
        z[:-DILATION] += _product(y[DILATION:], self._behind)
        z += self._second_bias[: len(rows)]
        np.maximum(z, zeros, out=z)
        z += y
        return z

    def hidden(self, pooled: Floats) -> Floats:
        """The hidden layer of one text, or of one a row."""
        found: Floats = pooled @ self._middle
        found += self._middle_bias
        return np.maximum(found, 0.0, out=found)

    def logits(self, text: str) -> list[float]:
        """`OUTPUTS` logits of `text`."""
        found: list[float] = (
            self.hidden(self.pooled(text)) @ self._heads + self._heads_bias
        ).tolist()
        return found


def _blocks(weights: Floats) -> Floats:
    """A matrix as blocks of columns: `_COLUMNS`, or fewer where they do not come out even."""
    inputs, outputs = weights.shape
    columns = math.gcd(outputs, _COLUMNS)
    return np.ascontiguousarray(weights.reshape(inputs, -1, columns).swapaxes(0, 1))


def _product(x: Floats, blocks: Floats) -> Floats:
    """`x` times the matrix of these blocks."""
    number, _, columns = blocks.shape
    found = np.empty((len(x), number * columns), np.float32)
    np.matmul(x, blocks, out=found.reshape(-1, number, columns).swapaxes(0, 1))
    return found


_COLUMNS: Final = 64
"""Columns of a product. With AVX-512, OpenBLAS multiplies up to a million pairs of numbers without
copying the matrices before: a text's pieces times 128 channels times 64 columns are fewer."""

_ONE: Final = np.ones((), np.float32)
_FLOORS: Final = np.array([[GATE_FLOOR], [0.0]], np.float32)
"""Added to the totals of gates and of attention."""

_WIDE: Final = (
    *("scale", "first", "first_bias", "second", "second_bias", "attend", "gate", "gate_bias"),
    *("middle", "middle_bias", "heads", "heads_bias"),
)
ARRAYS: Final = ("vocabulary", "table", *_WIDE, *ASIDE_ARRAYS)


def _check(arrays: Mapping[str, NDArray[Any]]) -> None:
    """Whether the arrays are there and fit each other."""
    missing = [name for name in ARRAYS if name not in arrays]
    if missing:
        raise ArtefactInvalid(f"it lacks the arrays {', '.join(missing)}")
    shapes = {name: arrays[name].shape for name in ARRAYS}
    if any(len(shapes[name]) != (2 if name in _MATRICES else 1) for name in ARRAYS):
        raise ArtefactInvalid("its arrays have the wrong number of dimensions")
    rows, width = shapes["table"]
    channels, hidden = shapes["first"][1], shapes["middle"][1]
    words = int(np.count_nonzero(arrays["vocabulary"] == ord("\n"))) + 1
    expected = {
        "table": (SPECIAL + words, width),
        "scale": (rows,),
        "first": (3 * width, channels),
        "first_bias": (channels,),
        "second": (3 * channels, channels),
        "second_bias": (channels,),
        "attend": (channels,),
        "gate": (channels,),
        "gate_bias": (1,),
        "middle": (3 * channels + SIZES, hidden),
        "middle_bias": (hidden,),
        "heads": (hidden, OUTPUTS),
        "heads_bias": (OUTPUTS,),
        "aside_middle": (2 * width + 1, shapes["aside_middle"][1]),
        "aside_middle_bias": (shapes["aside_middle"][1],),
        "aside_head": (shapes["aside_middle"][1] + 1,),
        "aside_evidence": (rows,),
    }
    wrong = [name for name, shape in expected.items() if shapes[name] != shape]
    if wrong or not all(np.isfinite(arrays[name]).all() for name in (*_WIDE, *ASIDE_ARRAYS)):
        raise ArtefactInvalid(f"its arrays do not fit together: {', '.join(wrong) or 'not finite'}")


_MATRICES: Final = ("table", "first", "second", "middle", "heads", "aside_middle")
