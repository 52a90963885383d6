"""Calibration curves, from the packed heads on training prompts that nothing was fitted on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pointsman_server.core.engine_rules import DOMAINS
from pointsman_server.engines.local.artefact import Artefact
from pointsman_server.engines.local.reading import OutcomeReader, TextScores
from sklearn.isotonic import IsotonicRegression

from training.augment import augmented
from training.pool import pool
from training.samples import Samples, calibrates
from training.sources import stem

Floats = NDArray[np.float64]

_KNOTS = 20
_ROUNDS = 30
_PRIOR = 4.0
"""Variance of the prior of a prompt's difficulty."""
_ENOUGH = 9
"""Models that must have answered a prompt before one can say how hard it was."""


def curve(
    scores: Sequence[float],
    hits: Sequence[bool],
    *,
    weights: Sequence[float] | None = None,
    rising: bool = True,
) -> list[list[float]]:
    """Isotonic share of hits by score, as two rows of at most `_KNOTS` points."""
    x, y = np.array(scores, float), np.array(hits, float)
    fitted = IsotonicRegression(increasing=rising, y_min=0.01, y_max=0.99, out_of_bounds="clip")
    fitted.fit(x, y, sample_weight=weights)
    at = np.unique(np.quantile(x, np.linspace(0, 1, _KNOTS)))
    return [[round(float(v), 5) for v in at], [round(float(v), 4) for v in fitted.predict(at)]]


def calibrate(samples: Samples, artefact: Artefact) -> dict[str, Any]:
    """All curves and thresholds of an artefact's header."""
    reader = OutcomeReader(artefact)
    outcomes = pool(samples.train, samples.topics)
    stems = [key for table in samples.train.values() for key in table.stems]
    kept = [calibrates(key) for key in stems]
    hard = empirical_hardness(outcomes.results)
    at = np.flatnonzero(kept)
    readings = [reader.read(outcomes.texts[i]) for i in at]
    asked = [r for r in samples.requests if calibrates(stem(r.text))]
    heard = [reader.read(text) for text in augmented([r.text for r in asked], percent=30)]
    curves = {
        "topic": _topic_curve(artefact, readings, [outcomes.topics[i] for i in at]),
        "domain": _domain_curve(heard, [r.domain for r in asked]),
        "vague": _vague_curve(heard, [r.vague for r in asked]),
    }
    terciles, sure = _difficulty_curves(readings, hard[at])
    return {"curves": curves | sure, "terciles": terciles, "domain_threshold": 0.4}


def empirical_hardness(results: Floats) -> Floats:
    """The difficulty of each prompt for the models that answered it, in logits; NaN: too few.

    The most likely difficulty of a Rasch model with the models' abilities given and a normal
    prior, found by Newton's method.
    """
    known = ~np.isnan(results)
    right = np.where(known, results, 0.0)
    share = np.clip(right.sum(axis=0) / known.sum(axis=0), 0.02, 0.98)
    ability = np.log(share / (1 - share))
    found = np.zeros(len(results))
    for _ in range(_ROUNDS):
        chance = 1 / (1 + np.exp(-(ability[None] - found[:, None])))
        pull = (known * (chance - right)).sum(axis=1) - found / _PRIOR
        found += pull / ((known * chance * (1 - chance)).sum(axis=1) + 1 / _PRIOR)
    found[known.sum(axis=1) < _ENOUGH] = np.nan
    return found


def _topic_curve(
    artefact: Artefact, readings: list[TextScores], topics: list[str | None]
) -> list[list[float]]:
    broad = np.array(artefact.broad_topics)
    names = sorted(set(broad))
    member = np.array([broad == name for name in names], float)
    of = dict(zip(artefact.topics, artefact.broad_topics, strict=True))
    scores, hits = [], []
    for reading, topic in zip(readings, topics, strict=True):
        if topic is not None:
            shares = member @ reading.topics
            scores.append(float(shares.max()))
            hits.append(names[int(shares.argmax())] == of[topic])
    return curve(scores, hits)


def _domain_curve(readings: list[TextScores], domains: list[str | None]) -> list[list[float]]:
    scores, hits = [], []
    for reading, domain in zip(readings, domains, strict=True):
        if domain is not None:
            scores.append(float(reading.domains.max()))
            hits.append(DOMAINS[int(reading.domains.argmax())] == domain)
    return curve(scores, hits)


def _vague_curve(readings: list[TextScores], vague: list[bool | None]) -> list[list[float]]:
    """Weights: unjudged prompts count as clear, and together no more than the judged ones."""
    judged = sum(label is not None for label in vague)
    share = judged / max(len(vague) - judged, 1)
    weights = [1.0 if label is not None else share for label in vague]
    return curve([r.vague for r in readings], [bool(v) for v in vague], weights=weights)


def _difficulty_curves(
    readings: list[TextScores], hard: Floats
) -> tuple[list[float], dict[str, list[list[float]]]]:
    """Terciles of the predicted hardness, and how often each label was right by it."""
    seen = ~np.isnan(hard)
    scores = 1 / (1 + np.exp(-np.array([r.difficulty for r in readings])))[seen]
    low, high = (float(v) for v in np.quantile(scores, [1 / 3, 2 / 3]))
    truth = np.digitize(hard[seen], np.quantile(hard[seen], [1 / 3, 2 / 3]))
    middle = (scores > low) & (scores <= high)
    share = round(float((truth[middle] == 1).mean()), 4)
    curves = {
        "difficulty_easy": curve(scores.tolist(), (truth == 0).tolist(), rising=False),
        "difficulty_medium": [[low, high], [share, share]],
        "difficulty_hard": curve(scores.tolist(), (truth == 2).tolist()),
    }
    return [round(low, 5), round(high, 5)], curves
