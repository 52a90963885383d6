"""The outputs of the heads for one text."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointsman_server.core.engine_rules import DOMAINS
from pointsman_server.engines.local import features
from pointsman_server.engines.local.artefact import Artefact
from pointsman_server.engines.local.legibility import InputQuality, judge

Floats = NDArray[np.floating]

_CLIP = 4.0
_FEW_WORDS = 10.0
"""Words at which half of a text's own difficulty and leverage counts."""

_LEVERAGE = (-0.8, 3.0)
"""Its bounds: a choice always matters a little, and never so much that one text decides all."""

_USUAL_WORDS, _SPREAD, _SLOPE = 60.0, 0.9, 0.25
"""Length as leverage: usual words, spread of their logarithm, and effect of one spread. Chosen on
training sets that were each left out in turn, as were its bounds, in spreads:"""

_SHORT, _LONG = -1.0, 2.5


@dataclass(frozen=True, slots=True, kw_only=True)
class TextScores:
    """Raw scores of one text; `Labels` makes labels and confidences of them."""

    legibility: InputQuality
    topics: Floats
    """Probability of each fine topic."""
    difficulty: float
    """Log odds that an average model of the training sets fails."""
    relative: float
    """Difficulty beyond its topics' average, in logits of predicted quality."""
    leverage: float
    """Leverage of the choice of a model: 0 average, 1 twice the average.
    Learned from outcomes, and useful if the candidates' skills were measured by topic."""
    length_leverage: float
    """The same by the text's length alone: less, but it holds on unknown ground."""
    domains: Floats
    """Probability of each of `DOMAINS`."""
    vague: float
    """Raw score of the request leaving too much open."""
    words: int


class OutcomeReader:
    """Applies the heads of an artefact."""

    def __init__(self, artefact: Artefact) -> None:
        self._artefact = artefact
        hidden = artefact.project.shape[0]
        self._difficulty = hidden
        self._gain = float(artefact.meta["difficulty_gain"])
        self._tuned = artefact.topics.index(artefact.meta["leverage_topic"])
        self._domains = slice(hidden + 3, hidden + 3 + len(DOMAINS))
        self._dense = artefact.dense / artefact.deviation[:, None]
        self._low = artefact.center - _CLIP * artefact.deviation
        self._high = artefact.center + _CLIP * artefact.deviation
        self._bias = artefact.bias - artefact.center @ self._dense

    def read(self, text: str) -> TextScores:
        """Read `text`: any string, of any length."""
        artefact = self._artefact
        found = features.extract(text)
        rows = artefact.table.take(found.buckets, axis=0).astype(np.float32)
        scores = (found.weights @ rows) * artefact.scale + self._bias
        scores += np.minimum(np.maximum(found.dense, self._low), self._high) @ self._dense
        hidden = self._difficulty
        trust = found.words / (found.words + _FEW_WORDS)
        topics = softmax(scores[:hidden] @ artefact.project + artefact.topic_bias)
        ease = float(topics @ artefact.easiness)
        hard, plain, tuned, *_, vague = scores[hidden:].tolist()
        own = trust * (hard + ease)
        leverage = trust * (plain + float(topics[self._tuned]) * tuned)
        return TextScores(
            legibility=judge(found),
            topics=topics,
            difficulty=own - ease,
            relative=self._gain * own,
            leverage=min(max(leverage, _LEVERAGE[0]), _LEVERAGE[1]),
            length_leverage=_length_leverage(found.words),
            domains=softmax(scores[self._domains]),
            vague=vague,
            words=found.words,
        )


def _length_leverage(words: int) -> float:
    """Longer requests gain more from an abler model, in every set of outcomes there is."""
    spreads = math.log(max(words, 1) / _USUAL_WORDS) / _SPREAD
    return _SLOPE * min(max(spreads, _SHORT), _LONG)


def softmax(scores: Floats) -> Floats:
    """Convert scores to probabilities."""
    # The functions behind `max` and `sum`, in half the time.
    powers: Floats = np.exp(scores - np.maximum.reduce(scores))
    powers /= np.add.reduce(powers)
    return powers
