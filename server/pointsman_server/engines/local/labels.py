"""Labels with confidences: of the reader's estimate, and of the outcome heads' topics."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from pointsman_server.core.value import value
from pointsman_server.engines.local.artefact import Artefact
from pointsman_server.engines.local.curve import Curve
from pointsman_server.engines.local.readers import RequestEstimate
from pointsman_server.engines.local.reading import TextScores

NEEDS_INFO: Final = "needs_info"

_MED: Final = 0.35
"""The probability of `needs_info` from which a request is somewhat ambiguous."""


@value(kw_only=True)
class Labels:
    """Labels of one request. Confidences and probabilities are 0..1 and calibrated."""

    difficulty: str
    """`easy`, `medium`, `hard` or `needs_info`."""
    confidence: float
    """Probability that `difficulty` is right."""
    effort: float
    """Expected effort, 1..5."""
    probabilities: tuple[float, float, float]
    """Of easy, medium and hard."""
    ambiguity: str
    """`low`, `med` or `high`."""
    ambiguity_confidence: float
    needs_info: float
    """Probability that the request leaves too much open to be sized."""
    turn: float
    """Probability that the request only continues or confirms something."""
    domain: str
    domain_confidence: float
    domains: tuple[float, ...]
    """Probability of each of `core.engine_rules.DOMAINS`."""


@value(kw_only=True)
class TopicLabels:
    """Labels of one text by the outcome heads."""

    hardness: float
    """The share of the training sets' models that are expected to fail, 0..1."""
    topic: str
    """The broad topic."""
    topic_confidence: float


def label(estimate: RequestEstimate, *, needs_info_threshold: float) -> Labels:
    """Put labels on an estimate."""
    difficulty, confidence = estimate.difficulty, estimate.difficulty_confidence
    needs_info = estimate.needs_info
    ambiguity, ambiguity_confidence = "low", 1.0 - needs_info
    if needs_info > needs_info_threshold:
        difficulty, confidence = NEEDS_INFO, needs_info
        ambiguity, ambiguity_confidence = "high", needs_info
    elif needs_info > _MED:
        ambiguity, ambiguity_confidence = "med", needs_info
    return Labels(
        difficulty=difficulty,
        confidence=confidence,
        effort=estimate.expected_effort,
        probabilities=estimate.difficulties,
        ambiguity=ambiguity,
        ambiguity_confidence=ambiguity_confidence,
        needs_info=needs_info,
        turn=estimate.turn,
        domain=estimate.domain,
        domain_confidence=estimate.domain_confidence,
        domains=estimate.domains,
    )


class TopicLabeller:
    """Labels the outcome heads' scores, by the curves of an artefact."""

    def __init__(self, artefact: Artefact) -> None:
        broad = artefact.broad_topics
        self._curve = Curve.of(artefact.meta["curves"]["topic"])
        self._names = sorted(set(broad))
        member = [[float(name == other) for other in self._names] for name in broad]
        self._member = np.array(member, np.float32)

    def label(self, scores: TextScores) -> TopicLabels:
        """Label one text's scores."""
        shares: list[float] = (scores.topics @ self._member).tolist()
        top = max(shares)
        return TopicLabels(
            hardness=1.0 / (1.0 + math.exp(-scores.difficulty)),
            topic=self._names[shares.index(top)],
            topic_confidence=self._curve(top),
        )
