"""Products of pieces are those of the plain convolution, however many were read before."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray
from pointsman_server.engines.local.container import unpack
from pointsman_server.engines.local.readers.default import MAGIC, DefaultReader, content_of
from pointsman_server.engines.local.readers.projections import PieceProjections
from pointsman_server.engines.local.readers.robustness import REQUESTS

PIECES, WIDTH, CHANNELS = 200, 8, 6
LONGEST = 20

RANDOM = np.random.default_rng(7)
TABLE = RANDOM.integers(-127, 128, (PIECES, WIDTH), dtype=np.int8)
SCALE = RANDOM.random((PIECES, 1), dtype=np.float32)
WEIGHTS = RANDOM.standard_normal((3 * WIDTH, CHANNELS), dtype=np.float32)
BIAS = RANDOM.standard_normal(CHANNELS, dtype=np.float32)


def projections(capacity: int) -> PieceProjections:
    return PieceProjections(table=TABLE, scale=SCALE, weights=WEIGHTS, bias=BIAS, capacity=capacity)


def plain(pieces: list[int]) -> NDArray[np.float32]:
    x = TABLE[pieces] * SCALE[pieces]
    none = np.zeros((1, WIDTH), np.float32)
    padded = np.concatenate((none, x, none))
    found: NDArray[np.float32] = np.hstack((padded[:-2], x, padded[2:])) @ WEIGHTS + BIAS
    return found


def texts(count: int) -> list[list[int]]:
    lengths = RANDOM.integers(1, LONGEST + 1, count)
    return [RANDOM.integers(0, PIECES, length).tolist() for length in lengths]


@pytest.mark.parametrize("capacity", [LONGEST, 2 * LONGEST, PIECES])
def test_a_text_is_convolved_whatever_is_kept_of_others(capacity: int) -> None:
    kept = projections(capacity)
    for pieces in texts(300):
        assert kept.convolved(pieces) == pytest.approx(plain(pieces), abs=1e-3)


def test_no_more_than_the_bound_is_kept() -> None:
    kept = projections(LONGEST)
    for pieces in texts(50):
        kept.convolved(pieces)
        assert 0 < len(kept) <= LONGEST


def test_a_piece_is_projected_once() -> None:
    kept = projections(PIECES)
    for _ in range(3):
        kept.convolved([4, 2, 2, 9])
        assert len(kept) == 3


def test_threads_share_the_products() -> None:
    kept, asked = projections(LONGEST), texts(400)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(kept.convolved, asked))
    for pieces, each in zip(asked, found, strict=True):
        assert each == pytest.approx(plain(pieces), abs=1e-3)


def test_a_text_is_the_same_whatever_was_read_before() -> None:
    content = unpack(content_of(None), magic=MAGIC)
    warmed = DefaultReader(content)
    for request in REQUESTS:
        for word in request.split():
            warmed.logits(word)
    for request in REQUESTS:
        assert warmed.logits(request) == DefaultReader(content).logits(request)
