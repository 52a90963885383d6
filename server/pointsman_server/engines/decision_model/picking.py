"""From a distribution of effort to one of the query's candidates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pointsman_server.core.model import CatalogModel, EngineQuery, RankedModel
from pointsman_server.engines.decision_model.questions import Judgement


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """The candidate to serve, and why."""

    model: CatalogModel
    ranking: tuple[RankedModel, ...]
    """Best first, by predicted quality."""
    reason: str
    """For people; it holds no word of the prompt."""


class ModelPicker(Protocol):
    """The rule that turns effort and domain into a choice: the same for every engine."""

    def pick(self, query: EngineQuery, judgement: Judgement) -> Pick | None:
        """Pick one of the query's candidates; `None` for a policy without a bound."""
        ...


class EffortPicker:
    """The cheapest candidate whose predicted quality is within the policy's bound of the best."""

    def __init__(self, quality_loss: dict[str, float]) -> None:
        self._loss = quality_loss

    def pick(self, query: EngineQuery, judgement: Judgement) -> Pick | None:
        """Pick one of the query's candidates; `None` for a policy without a bound."""
        loss = self._loss.get(query.policy)
        if loss is None:
            return None
        expected = judgement.expected_effort
        scored = [
            (model, _quality(model, expected), _cost(model, query.prompt))
            for model in query.candidates
        ]
        scored.sort(key=lambda s: (-s[1], s[2]))
        best = scored[0][1]
        model, quality, _ = min((s for s in scored if s[1] >= best - loss), key=lambda s: s[2])
        return Pick(
            model=model,
            ranking=_ranking(scored),
            reason=f"expected effort {expected:.1f} of 5; quality {quality:.2f}, best {best:.2f}",
        )


def _ranking(scored: Sequence[tuple[CatalogModel, float, float]]) -> tuple[RankedModel, ...]:
    return tuple(
        RankedModel(
            model=model.public_id,
            score=quality,
            estimated_cost=cost if math.isfinite(cost) else None,
        )
        for model, quality, cost in scored
    )


def _quality(model: CatalogModel, effort: float) -> float:
    known = model.score if model.score is not None else model.capability
    share = min(max(0.7 if known is None else known, 0.02), 0.98)
    logit = math.log(share / (1 - share)) + 3.0 - effort
    return 1 / (1 + math.exp(-logit))


def _cost(model: CatalogModel, prompt: str) -> float:
    if model.input_price is None or model.output_price is None:
        return math.inf
    return (len(prompt) / 4 * model.input_price + 500 * model.output_price) / 1_000_000
