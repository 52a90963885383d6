"""Incumbent or fresh pick: the answer that holds under a tier's stickiness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pointsman_server.core.candidate_plan import Plan
from pointsman_server.core.conversation_slot import ConversationSlot
from pointsman_server.core.effort import effort_of
from pointsman_server.core.incumbent import Incumbent, Weighed, find_candidate
from pointsman_server.core.model import (
    CatalogModel,
    EngineAnswer,
    RouteRequest,
    Stickiness,
    SwitchReason,
)
from pointsman_server.core.weighing import highest, weigh


def settle(
    answer: EngineAnswer,
    *,
    request: RouteRequest,
    plan: Plan,
    slot: ConversationSlot | None,
    incumbent: Incumbent | None,
    loss: float,
) -> Weighed:
    """The answer that holds, by the tier's stickiness."""
    candidates, tier = plan.selection.eligible, plan.tier
    if tier.stickiness is Stickiness.ADAPTIVE and incumbent is not None:
        weighed = weigh(
            answer,
            incumbent,
            request=request,
            candidates=candidates,
            rules=tier.switching,
            loss=loss,
        )
        # A stand-in compares nothing: the engine that it stands in for has not been heard yet.
        return replace(weighed, compared=incumbent.compared or not answer.stand_in)
    effort = effort_of(answer)
    if slot is not None and slot.routed == answer.model:
        effort = highest(slot.effort, effort)
    return Weighed(
        answer,
        sticky=is_sticky(answer, tier.stickiness),
        switch=switch_reason(slot, answer, candidates, tier.stickiness),
        effort=effort,
    )


def switch_reason(
    slot: ConversationSlot | None,
    answer: EngineAnswer,
    eligible: Sequence[CatalogModel],
    stickiness: Stickiness,
) -> SwitchReason | None:
    """The reason for leaving the current model; `None` without a current model.

    Under `adaptive`, an answer that was not weighed has no incumbent that may serve.
    """
    if slot is None or not slot.routed or slot.routed == answer.model:
        return None
    if stickiness is Stickiness.ADAPTIVE:
        return SwitchReason.INELIGIBLE
    if find_candidate(eligible, public_id=slot.routed, router_id=slot.router_model) is None:
        return SwitchReason.INELIGIBLE
    return SwitchReason.REDECIDED


def is_sticky(answer: EngineAnswer, stickiness: Stickiness) -> bool:
    """Whether a decision that was not weighed is the conversation's: cached for all of it."""
    return answer.cached and stickiness is Stickiness.CONVERSATION


def fallback_models(
    answer: EngineAnswer, eligible: Sequence[CatalogModel], default: CatalogModel
) -> tuple[str, ...]:
    """The other eligible candidates, best first.

    By the engine's ranking where it has one, else the default model and then the caller's order.
    """
    ranked = [r.model for r in answer.ranking] or [default.public_id]
    names = [m.public_id for m in eligible]
    allowed = {*names} - {answer.model}
    return tuple([name for name in dict.fromkeys(ranked + names) if name in allowed])
