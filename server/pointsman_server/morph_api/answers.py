"""Answers as JSON objects. Unknown values are absent, because some readers refuse a `null`."""

from __future__ import annotations

from typing import Any

from pointsman_server.core.engine_rules import DOMAINS
from pointsman_server.core.model import Classification, EngineAnswer, Head

LABELS = {
    "difficulty": ("easy", "medium", "hard", "needs_info"),
    "ambiguity": ("low", "med", "high"),
    "domain": DOMAINS,
}
"""The labels of each head; a label's place is its `class_id`. Source: the vendor's reference."""


def decision(answer: EngineAnswer, *, provider: str | None) -> dict[str, Any]:
    """The body of `multimodel`."""
    return _known(
        model=answer.router_model,
        provider=provider,
        difficulty=answer.difficulty,
        confidence=answer.confidence,
        ambiguity=answer.ambiguity,
        ambiguity_confidence=answer.ambiguity_confidence,
        domain=answer.domain,
        domain_confidence=answer.domain_confidence,
    )


def only_choice(model: str, *, provider: str | None, labels: Classification) -> dict[str, Any]:
    """The body of `multimodel` where one model is allowed: no decision, but the labels."""
    difficulty, ambiguity, domain = labels.difficulty, labels.ambiguity, labels.domain
    return _known(
        model=model,
        provider=provider,
        difficulty=difficulty and difficulty.label,
        confidence=difficulty and difficulty.confidence,
        ambiguity=ambiguity and ambiguity.label,
        ambiguity_confidence=ambiguity and ambiguity.confidence,
        domain=domain and domain.label,
        domain_confidence=domain and domain.confidence,
    )


def classifications(labels: Classification, *, heads: tuple[str, ...]) -> dict[str, Any]:
    """The body of `classify`."""
    found: dict[str, Head | None] = {
        "difficulty": labels.difficulty,
        "ambiguity": labels.ambiguity,
        "domain": labels.domain,
    }
    asked = {name: head for name, head in found.items() if name in heads and head is not None}
    return {"classifications": {name: _head(name, head) for name, head in asked.items()}}


def _head(name: str, head: Head) -> dict[str, Any]:
    known = LABELS[name]
    return _known(
        class_id=known.index(head.label) if head.label in known else None,
        label=head.label,
        confidence=head.confidence,
        meets_threshold=head.meets_threshold,
    )


def _known(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
