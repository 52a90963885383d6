"""Everything that the readers learn from: requests, folds, made requests, the vocabulary."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.effort.crossings import Extra, crossings
from training.effort.multilingual import features
from training.effort.rows import (
    Row,
    fold_of,
    labelled,
    labelled_here,
    one_liners,
    questions,
    sets,
    unlabelled,
)
from training.effort.vocabulary import choose, encoder_folder, vectors

Floats = NDArray[np.float32]

PIECES: Final = 40_000
PER_SOURCE: Final = 1_500
"""The most unlabelled requests of one source."""
CROSSED: Final = 3_000
"""Made requests of each kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Input of training."""

    rows: list[Row]
    """The labelled requests. Each fold holds some of them out."""
    own: list[Row]
    """Requests that were written for training alone."""
    more: list[Row]
    """Labelled requests of the same sources that nothing is measured on."""
    folds: Mapping[str, int]
    extras: list[Extra]
    vocabulary: list[str]
    vectors: Floats
    """The multilingual encoder's vectors of the vocabulary's pieces."""
    features: Mapping[str, Floats]
    """The multilingual encoder's features of all texts."""

    def kept(self, fold: int) -> list[Row]:
        """The rows that are learnt from when `fold` is held out."""
        measured = [*self.rows, *self.more]
        return [row for row in measured if self.folds[row.group] != fold] + self.own

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


def material(data: Path, *, work: Path) -> Material:
    """Read the requests; choose the vocabulary; see all texts in many languages."""
    rows, own, more = labelled(data), [*one_liners(), *sets()], labelled_here(data)
    known = {row.text for row in more}
    blank = [each for each in [*unlabelled(data), *questions(data)] if each[1] not in known]
    folder = encoder_folder()
    labels = [*rows, *own, *more]
    texts = [*(row.text for row in labels), *(text for _, text in blank)]
    vocabulary, at = choose(texts, folder=folder, size=PIECES)
    extras = extra_requests(labels, blank)
    every = sorted({*(row.text for row in labels), *(each.text for each in extras)})
    return Material(
        rows=rows,
        own=own,
        more=more,
        folds=fold_of(rows),
        extras=extras,
        vocabulary=vocabulary,
        vectors=vectors(at, folder=folder),
        features=dict(zip(every, _features(every, work=work), strict=True)),
    )


def extra_requests(rows: Sequence[Row], blank: Sequence[tuple[str, str]]) -> list[Extra]:
    """Unlabelled requests, and made ones."""
    by_source: dict[str, list[Extra]] = defaultdict(list)
    for source, text in blank:
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
