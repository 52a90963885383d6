"""From raw scores to labels with calibrated confidences."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from pointsman_server.engines.local.artefact import DOMAINS, Artefact
from pointsman_server.engines.local.calibration import Curve
from pointsman_server.engines.local.legibility import InputQuality
from pointsman_server.engines.local.reading import TextScores

NEEDS_INFO: Final = "needs_info"

_GUESS: Final = 1 / 3
"""The confidence of a label picked from three without knowing anything."""

_ILLEGIBLE_DOMAIN: Final = 0.2
_VAGUE_WORDS: Final = 40
_VAGUE_CAP: Final = 0.6
_MED: Final = 0.35


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """What a prompt looks like. Confidences are 0..1 and calibrated on held-out prompts."""

    difficulty: str
    confidence: float
    hardness: float
    """0..1: the share of models of the training sets that are expected to fail; continuous, for
    ranking prompts. It is there even where `difficulty` is a guess."""
    ambiguity: str
    ambiguity_confidence: float
    needs_info: float
    """Probability that the request leaves too much open to be sized."""
    domain: str
    domain_confidence: float
    topic: str
    topic_confidence: float


class Labeller:
    """Puts labels on readings, by the thresholds and curves of an artefact."""

    def __init__(self, artefact: Artefact, *, needs_info_threshold: float) -> None:
        meta = artefact.meta
        curves = meta["curves"]
        self._needs_info_threshold = needs_info_threshold
        self._terciles: tuple[float, float] = tuple(meta["terciles"])
        self._abstain = float(meta["domain_threshold"])
        self._sure = [Curve.of(curves[f"difficulty_{name}"]) for name in ("easy", "medium", "hard")]
        self._vague = Curve.of(curves["vague"])
        self._domain = Curve.of(curves["domain"])
        self._topic = Curve.of(curves["topic"])
        self._broad = artefact.broad_topics
        self._broad_names = sorted(set(self._broad))
        member = [[float(name == broad) for broad in self._broad_names] for name in self._broad]
        self._member = np.array(member, np.float32)

    def label(self, reading: TextScores) -> Labels:
        """Label one reading."""
        hardness = 1.0 / (1.0 + math.exp(-reading.difficulty))
        difficulty, confidence = self._difficulty(hardness, legibility=reading.legibility)
        needs_info = self._needs_info(reading)
        if needs_info > self._needs_info_threshold:
            difficulty, confidence = NEEDS_INFO, needs_info
        ambiguity, ambiguity_confidence = self._ambiguity(needs_info)
        domain, domain_confidence = self._domain_of(reading)
        broad: list[float] = (reading.topics @ self._member).tolist()
        topic_share = max(broad)
        return Labels(
            difficulty=difficulty,
            confidence=confidence,
            hardness=hardness,
            ambiguity=ambiguity,
            ambiguity_confidence=ambiguity_confidence,
            needs_info=needs_info,
            domain=domain,
            domain_confidence=domain_confidence,
            topic=self._broad_names[broad.index(topic_share)],
            topic_confidence=self._topic(topic_share),
        )

    def _difficulty(self, hardness: float, *, legibility: InputQuality) -> tuple[str, float]:
        if legibility is not InputQuality.CLEAR:
            # No signal never means easy; nor does it mean hard.
            return "medium", _GUESS
        low, high = self._terciles
        at = (hardness > low) + (hardness > high)
        return ("easy", "medium", "hard")[at], self._sure[at](hardness)

    def _needs_info(self, reading: TextScores) -> float:
        """Vagueness does not transfer between data sets: outside short requests it is capped."""
        chance = self._vague(reading.vague)
        seen = reading.legibility is InputQuality.CLEAR and reading.words <= _VAGUE_WORDS
        return chance if seen else min(chance, _VAGUE_CAP)

    def _ambiguity(self, chance: float) -> tuple[str, float]:
        if chance > self._needs_info_threshold:
            return "high", chance
        if chance > _MED:
            return "med", min(chance, _VAGUE_CAP)
        return "low", min(1.0 - chance, _VAGUE_CAP)

    def _domain_of(self, reading: TextScores) -> tuple[str, float]:
        shares: list[float] = reading.domains.tolist()
        top = max(shares)
        sure = self._domain(top)
        if reading.legibility in {InputQuality.TOO_SHORT, InputQuality.NOT_ENGLISH}:
            return DOMAINS[0], _ILLEGIBLE_DOMAIN
        if sure < self._abstain:
            return DOMAINS[0], self._domain(shares[0])
        return DOMAINS[shares.index(top)], sure
