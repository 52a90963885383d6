"""Texts as one sparse matrix, with the very features that the server computes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pointsman_server.engines.local import features, hashing
from scipy import sparse


def matrix(texts: Sequence[str]) -> tuple[sparse.csr_matrix, NDArray[np.float32]]:
    """Hashed part (texts x 2**BITS) and dense part (texts x dense features)."""
    found = [features.extract(text) for text in texts]
    sizes = [len(f.buckets) for f in found]
    hashed = sparse.csr_matrix(
        (
            np.concatenate([f.weights for f in found]).astype(np.float64),
            np.concatenate([f.buckets for f in found]),
            np.concatenate([[0], np.cumsum(sizes)]),
        ),
        shape=(len(found), 1 << hashing.BITS),
    )
    return hashed, np.stack([f.dense for f in found])
