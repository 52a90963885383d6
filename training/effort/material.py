"""Everything that the readers learn from: requests, folds, made requests, the first table."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pointsman_server.engines.local.readers.pieces import SPECIAL

from training.effort.crossings import Extra, crossings
from training.effort.multilingual import features
from training.effort.rows import Row, fold_of, labelled, one_liners, questions, unlabelled
from training.effort.vocabulary import choose, encoder_folder, vectors

Floats = NDArray[np.float32]

PIECES: Final = 40_000
PER_SOURCE: Final = 1_500
"""The most unlabelled requests of one source."""
CROSSED: Final = 3_000
"""Made requests of each kind."""
TABLE_SCALE: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Input of training."""

    rows: list[Row]
    """The labelled requests. Each fold holds some of them out."""
    own: list[Row]
    """Requests that were written for training alone."""
    folds: Mapping[str, int]
    extras: list[Extra]
    vocabulary: list[str]
    table: Floats
    features: Mapping[str, Floats]
    """The multilingual encoder's features of all texts."""

    def kept(self, fold: int) -> list[Row]:
        """The rows that are learnt from when `fold` is held out."""
        return [row for row in self.rows if self.folds[row.group] != fold] + self.own

    def held(self, fold: int) -> list[Row]:
        """The rows of `fold`."""
        return [row for row in self.rows if self.folds[row.group] == fold]

    def extra(self, fold: int) -> list[str]:
        """Unlabelled and made requests without a word of a source that is held out."""
        held = self.held(fold)
        away = {row.group for row in held} | {row.source for row in held} - {"written"}
        return [each.text for each in self.extras if not each.origins & away]

    def featured(self, texts: Sequence[str]) -> Floats:
        """The features of `texts`."""
        return np.stack([self.features[text] for text in texts])


def material(data: Path, *, width: int, work: Path) -> Material:
    """Read the requests; choose vocabulary and first table; see all texts in many languages."""
    rows, own = labelled(data), one_liners()
    more = unlabelled(data) + questions(data)
    folder = encoder_folder()
    texts = [*(row.text for row in rows), *(text for _, text in more)]
    vocabulary, at = choose(texts, folder=folder, size=PIECES)
    found = vectors(at, folder=folder, width=width)
    special = np.random.default_rng(0).normal(0, 0.7 * found.std(), (SPECIAL, width))
    special[0] = 0.0
    extras = extra_requests(rows, more)
    every = sorted({*(row.text for row in [*rows, *own]), *(each.text for each in extras)})
    return Material(
        rows=rows,
        own=own,
        folds=fold_of(rows),
        extras=extras,
        vocabulary=vocabulary,
        table=(np.concatenate([special, found]) * TABLE_SCALE).astype(np.float32),
        features=dict(zip(every, _features(every, work=work), strict=True)),
    )


def extra_requests(rows: Sequence[Row], more: Sequence[tuple[str, str]]) -> list[Extra]:
    """Unlabelled requests, and made ones."""
    by_source: dict[str, list[Extra]] = defaultdict(list)
    for source, text in more:
        if len(by_source[source]) < PER_SOURCE:
            by_source[source].append(Extra(text, frozenset({source})))
    plain = [each for found in by_source.values() for each in found]
    labelled_too = [Extra(row.text, frozenset({row.group})) for row in rows]
    return plain + crossings([*plain, *labelled_too], count=CROSSED, seed=0)


def _features(texts: Sequence[str], *, work: Path) -> Floats:
    """The features of `texts`, taken from `work` where they were computed for the same texts."""
    digest = hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]
    path = work / f"features-{digest}.npy"
    if not path.exists():
        np.save(path, features(texts))
    found: Floats = np.load(path)
    return found
