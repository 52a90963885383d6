"""Incumbent or fresh pick: what a conversation's own model has to say."""

from __future__ import annotations

from collections.abc import Sequence

from pointsman_server.core.model import (
    CatalogModel,
    EngineAnswer,
    Stickiness,
    SwitchReason,
)


def is_sticky(answer: EngineAnswer, stickiness: Stickiness) -> bool:
    """Whether the conversation keeps the model it is on: a kept answer that holds for all of it."""
    return answer.cached and stickiness is Stickiness.CONVERSATION


def switch_reason(
    incumbent: str | None, model: str, eligible: Sequence[CatalogModel]
) -> SwitchReason | None:
    """Why a conversation on `incumbent` goes to `model`; `None` where it stays or has none."""
    if incumbent is None or incumbent == model:
        return None
    if all(m.public_id != incumbent for m in eligible):
        return SwitchReason.INELIGIBLE
    return SwitchReason.REDECIDED


def fallback_models(
    answer: EngineAnswer, eligible: Sequence[CatalogModel], default: CatalogModel
) -> tuple[str, ...]:
    """The other eligible candidates, best first.

    By the engine's ranking where it has one, else the default model and then the caller's order.
    """
    ranked = [r.model for r in answer.ranking] or [default.public_id]
    allowed = {m.public_id for m in eligible} - {answer.model}
    order = dict.fromkeys([*ranked, *(m.public_id for m in eligible)])
    return tuple(name for name in order if name in allowed)
