"""The cheapest candidate whose predicted quality is within a bound of the best one's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pointsman_server.core.model import CatalogModel
from pointsman_server.engines.local.reading import TextScores
from pointsman_server.engines.local.skills import CandidateSkills, Skill

CHARS_PER_TOKEN = 4
_MILLION = 1_000_000
_LEAST = 0.005
_CERTAIN = 1e-9
"""Nearer to 0 and 1 chances have no logits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A candidate, its predicted quality 0..1 and, where prices are known, its cost in dollars."""

    model: CatalogModel
    skill: Skill
    quality: float
    cost: float | None


def predicted_quality(
    reading: TextScores, squad: CandidateSkills, *, with_difficulty: bool
) -> list[float]:
    """Chance of success of each candidate.

    The topics' success rates are mixed by the topics' probabilities; the text's difficulty in its
    topics moves them all; leverage then stretches or shrinks what sets the candidates apart. The
    learnt leverage belongs to skills that were measured by topic: with overall scores alone it
    is worse than none, and the text's length stands in.
    """
    mixed: list[float] = (squad.chances @ reading.topics).tolist()
    if not with_difficulty:
        return mixed
    # A handful of candidates: plain numbers take a fifth of what operations on arrays do.
    moved = [_moved(chance, by=reading.relative) for chance in mixed]
    middle = sum(moved) / len(moved)
    leverage = reading.leverage if squad.measured else reading.length_leverage
    stretched = [middle + (chance - middle) * (1.0 + leverage) for chance in moved]
    return [min(max(chance, _LEAST), 1.0 - _LEAST) for chance in stretched]


def _moved(chance: float, *, by: float) -> float:
    """A chance that is `by` logits harder."""
    chance = min(max(chance, _CERTAIN), 1.0 - _CERTAIN)
    return 1.0 / (1.0 + (1.0 - chance) / chance * math.exp(by))


def expected_cost(model: CatalogModel, *, chars: int, output_tokens: float) -> float | None:
    """Dollars for a prompt of `chars` and an answer of usual length; `None`: prices not known."""
    if model.input_price is None or model.output_price is None:
        return None
    tokens = chars / CHARS_PER_TOKEN * model.input_price + output_tokens * model.output_price
    return tokens / _MILLION


def best_first(scored: Sequence[Scored]) -> list[Scored]:
    """By quality; of equals the cheaper first, then in the order given."""
    return sorted(scored, key=lambda s: (-round(s.quality, 9), _price(s)))


def choose(ranked: Sequence[Scored], *, loss: float) -> Scored:
    """The cheapest of those within `loss` of the first; a price that is not known is never low."""
    bound = ranked[0].quality - loss - 1e-9
    return min((s for s in ranked if s.quality >= bound), key=_price)


def _price(scored: Scored) -> float:
    return float("inf") if scored.cost is None else scored.cost
