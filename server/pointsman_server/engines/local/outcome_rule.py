"""The outcome rule: predicted success by knowledge topic, from outcomes of exam questions.

It decides where the candidates carry no axes, and under the policy `domain_skills`.
"""

from __future__ import annotations

import math
from typing import Final

from pointsman_server.core.model import EngineQuery
from pointsman_server.core.value import value
from pointsman_server.engines.local.artefact import Artefact
from pointsman_server.engines.local.choice import Scored, best_first, choose, expected_cost
from pointsman_server.engines.local.reading import TextScores
from pointsman_server.engines.local.skills import Basis, CandidateSkills, SkillBook

DOMAIN_SKILLS: Final = "domain_skills"
"""The policy that uses the topics' success rates alone, without the text's difficulty."""

_LEAST: Final = 0.005
_CERTAIN: Final = 1e-9
"""Chances nearer to 0 and 1 have no logits."""


@value(kw_only=True)
class OutcomeChoice:
    """The rule's decision with all its inputs."""

    ranked: tuple[Scored, ...]
    """Best first."""
    chosen: Scored
    basis: dict[str, Basis]
    """The source of each candidate's skill, by public id."""


class OutcomeRule:
    """Picks by predicted success on the text's topics."""

    def __init__(self, artefact: Artefact) -> None:
        self._skills = SkillBook(artefact)
        self._output_tokens = artefact.output_tokens

    def decide(self, query: EngineQuery, scores: TextScores, *, loss: float) -> OutcomeChoice:
        """Pick one of the query's candidates: the cheapest within `loss` of the best."""
        pool = self._skills.pool(query.candidates)
        with_difficulty = query.policy != DOMAIN_SKILLS
        qualities = predicted_quality(scores, pool, with_difficulty=with_difficulty)
        tokens = float(scores.topics @ self._output_tokens)
        chars = len(query.prompt)
        scored = [
            Scored(
                model=model,
                quality=quality,
                cost=expected_cost(model, chars=chars, output_tokens=tokens),
            )
            for model, quality in zip(query.candidates, qualities, strict=True)
        ]
        ranked = tuple(best_first(scored))
        known = zip(query.candidates, pool.skills, strict=True)
        return OutcomeChoice(
            ranked=ranked,
            chosen=choose(ranked, loss=loss),
            basis={model.public_id: skill.basis for model, skill in known},
        )


def predicted_quality(
    scores: TextScores, pool: CandidateSkills, *, with_difficulty: bool
) -> list[float]:
    """Give each candidate's chance of success.

    The topics' success rates are mixed by the topics' probabilities; the text's difficulty relative
    to its topics moves them all; leverage then stretches or shrinks the differences between
    candidates. The learnt leverage needs skills that were measured by topic: with overall scores
    alone it is worse than none, and the text's length replaces it.
    """
    mixed: list[float] = (pool.chances @ scores.topics).tolist()
    if not with_difficulty:
        return mixed
    # A handful of candidates: plain numbers take a fifth of the time of array operations.
    moved = [_moved(chance, by=scores.relative) for chance in mixed]
    middle = sum(moved) / len(moved)
    leverage = scores.leverage if pool.measured else scores.length_leverage
    stretched = [middle + (chance - middle) * (1.0 + leverage) for chance in moved]
    return [min(max(chance, _LEAST), 1.0 - _LEAST) for chance in stretched]


def _moved(chance: float, *, by: float) -> float:
    """Give the chance on a text that is `by` logits harder."""
    chance = min(max(chance, _CERTAIN), 1.0 - _CERTAIN)
    return 1.0 / (1.0 + (1.0 - chance) / chance * math.exp(by))
