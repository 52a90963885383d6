"""In-domain rows: a ridge on the gap of RouteLLM's pair, trained on the training half alone.

This is the protocol of published routers. It measures the features, not the shipped model.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pointsman_server.engines.local.artefact import Artefact
from scipy import sparse

from training import heads
from training.bench import WEAK_COLUMN, Row, accuracy, pair_row, read
from training.heads import Floats, Scaling
from training.matrix import matrix
from training.samples import Samples
from training.sources import STRONG, Outcomes

PENALTY = 10.0
DENSE_WEIGHT = 0.1
"""Chosen by five folds of the training halves, one setting for both sets."""

GROUPS = 8
"""Of MMLU's 57 subjects, for leaving whole subjects out."""


def gap(table: Outcomes) -> Floats:
    """The gain of the strong model on each prompt."""
    found: Floats = table.column(STRONG) - table.column(WEAK_COLUMN)
    return found


def _design(train: list[str], test: list[str]) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    hashed, dense = matrix(train)
    scaling = Scaling.of(dense, weight=DENSE_WEIGHT)
    return scaling.join(hashed, dense), scaling.design(test)


def ridge_score(train: Outcomes, test_texts: list[str], *, penalty: float) -> Floats:
    """Scores of `test_texts` by a ridge on the gap of `train`."""
    x, x_test = _design(train.texts, test_texts)
    ones: NDArray[np.float64] = np.ones(len(train))
    weights = heads.ridge(x, gap(train), weights=ones, penalty=penalty)
    scored: Floats = x_test @ weights
    return scored


def half_to_half(
    artefact: Artefact, samples: Samples, name: str, *, bootstrap: bool = True
) -> list[Row]:
    """Trained on half A, tested on half B: the ridge, and its mean with the shipped model's gap.

    The shipped model has not seen half B either.
    """
    train, test = samples.train[name], samples.test[name]
    weak, strong = test.column(WEAK_COLUMN), test.column(STRONG)
    alone = ridge_score(train, test.texts, penalty=PENALTY)
    at = [train.models.index(WEAK_COLUMN), train.models.index(STRONG)]
    quality = read(artefact, test.texts).quality(accuracy(artefact, train)[at])
    shipped = quality[:, 1] - quality[:, 0]
    both = alone / alone.std() + shipped / shipped.std()
    return [
        pair_row(name, router, score, weak=weak, strong=strong, bootstrap=bootstrap)
        for router, score in (
            ("ridge, half A to half B", alone),
            ("ridge and shipped model", both),
        )
    ]


def subjects_out(samples: Samples, *, bootstrap: bool = True) -> Row:
    """MMLU, both halves, with the subjects of each group left out in turn."""
    parts = [samples.train["mmlu"], samples.test["mmlu"]]
    texts = [text for part in parts for text in part.texts]
    labels = np.array([label for part in parts for label in part.labels])
    results = np.concatenate([part.results for part in parts])
    models = parts[0].models
    weak, strong = results[:, models.index(WEAK_COLUMN)], results[:, models.index(STRONG)]
    hashed, dense = matrix(texts)
    group = {label: at % GROUPS for at, label in enumerate(sorted(set(labels.tolist())))}
    of = np.array([group[label] for label in labels.tolist()])
    score = np.zeros(len(texts))
    for left in range(GROUPS):
        seen, unseen = of != left, of == left
        scaling = Scaling.of(dense[seen], weight=DENSE_WEIGHT)
        x = scaling.join(hashed, dense)
        weights = heads.ridge(
            x[seen], (strong - weak)[seen], weights=np.ones(int(seen.sum())), penalty=PENALTY
        )
        score[unseen] = x[unseen] @ weights
    return pair_row(
        "mmlu", "ridge, subjects left out", score, weak=weak, strong=strong, bootstrap=bootstrap
    )
