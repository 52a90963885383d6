"""What a judgement says of a prompt, in the words of the contract."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pointsman_server.core.engine_rules import DOMAINS
from pointsman_server.core.model import Classification, Head
from pointsman_server.engines.decision_model.questions import Judgement

NEEDS_INFO: Final = "needs_info"
_EASY, _HARD = 2, 3
"""Levels up to the second are easy, from the fourth hard."""
_MED: Final = 0.35
_MEETS: Final = {"difficulty": 0.5, "ambiguity": 0.5, "domain": 0.6}


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptLabels:
    """Labels with their probabilities."""

    difficulty: str
    confidence: float
    ambiguity: str
    ambiguity_confidence: float
    domain: str
    domain_confidence: float


def labels_of(judgement: Judgement, *, needs_info_threshold: float) -> PromptLabels:
    """Label a prompt; from the threshold on its difficulty is `needs_info`."""
    effort = judgement.effort
    chances = {
        "easy": sum(effort[:_EASY]),
        "medium": sum(effort[_EASY:_HARD]),
        "hard": sum(effort[_HARD:]),
    }
    difficulty = max(chances, key=chances.__getitem__)
    confidence = min(chances[difficulty], 1.0)
    chance = judgement.needs_info
    ambiguity, sure = ("med", chance) if chance > _MED else ("low", 1.0 - chance)
    if chance >= needs_info_threshold:
        difficulty, confidence, ambiguity = NEEDS_INFO, chance, "high"
    domain = max(range(len(DOMAINS)), key=judgement.domain.__getitem__)
    return PromptLabels(
        difficulty=difficulty,
        confidence=confidence,
        ambiguity=ambiguity,
        ambiguity_confidence=chance if ambiguity == "high" else sure,
        domain=DOMAINS[domain],
        domain_confidence=judgement.domain[domain],
    )


def classification(labels: PromptLabels) -> Classification:
    """Give the labels as an answer to `classify`."""

    def head(name: str, label: str, confidence: float) -> Head:
        return Head(label=label, confidence=confidence, meets_threshold=confidence >= _MEETS[name])

    return Classification(
        difficulty=head("difficulty", labels.difficulty, labels.confidence),
        ambiguity=head("ambiguity", labels.ambiguity, labels.ambiguity_confidence),
        domain=head("domain", labels.domain, labels.domain_confidence),
    )
