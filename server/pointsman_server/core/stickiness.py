"""Incumbent or fresh pick: whether a conversation leaves the model that it is on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pointsman_server.core.candidate_plan import Plan
from pointsman_server.core.conversation_slot import ConversationSlot
from pointsman_server.core.effort import (
    NEEDS_INFO,
    effort_of,
    is_harder,
    level_of,
    reasoning_effort,
)
from pointsman_server.core.model import (
    CatalogModel,
    EngineAnswer,
    RouteRequest,
    Source,
    Stickiness,
    SwitchReason,
    SwitchRules,
)
from pointsman_server.core.switching import (
    SwitchCost,
    context_tokens,
    is_more_capable,
    raised_level,
    switch_cost,
)
from pointsman_server.core.turn import Turn


@dataclass(frozen=True, slots=True)
class Incumbent:
    """The model that a conversation is on, as this request's candidate."""

    model: CatalogModel
    effort: float | None
    """The effort that it was chosen for; `None`: not known."""
    source: Source
    is_decided: bool = True
    """Whether it was decided for; else the gateway named it."""

    def stays(self, turn: Turn) -> Weighed:
        """The incumbent where no engine was called."""
        answer = EngineAnswer(
            source=self.source,
            model=self.model.public_id,
            router_model=self.model.router_id or "",
            effort=self.effort,
            reasoning_effort=reasoning_effort(self.model.reasoning_efforts, self.effort),
            explanation=_STAYS[turn],
            cached=True,
        )
        return Weighed(answer, sticky=True, effort=self.effort)


_STAYS = {
    Turn.TASK: "conversation stays: its provider has no other candidate",
    Turn.UNDECIDED: "conversation stays: its provider has no other candidate",
    Turn.NO_TASK: "conversation stays: the turn holds no task",
    Turn.AMBIGUOUS: "conversation stays: the prompt is ambiguous",
}


@dataclass(frozen=True, slots=True)
class Weighed:
    """An answer after it was weighed against the incumbent."""

    answer: EngineAnswer
    sticky: bool
    switch: SwitchReason | None = None
    effort: float | None = None
    """The effort for which the conversation's model counts as chosen from now on."""


def incumbent_of(
    request: RouteRequest,
    slot: ConversationSlot | None,
    candidates: Sequence[CatalogModel],
    *,
    served: bool,
) -> Incumbent | None:
    """The incumbent that may serve this request; `None` where there is none.

    It is the model decided for last. Where the gateway names another model than the one that the
    slot says was served, that one is; not in shadow mode (`served`), where it is never ours.
    """
    named = request.routing.incumbent_model if request.routing else None
    source = slot.source if slot else Source.LOCAL
    if named is not None and served and (slot is None or named != slot.served):
        model = _find(candidates, public_id=named)
        return Incumbent(model, None, source, is_decided=False) if model else None
    if slot is None or not slot.routed:
        return None
    model = _find(candidates, public_id=slot.routed, router_id=slot.router_model)
    return Incumbent(model, slot.effort, source) if model else None


def _find(
    candidates: Sequence[CatalogModel], *, public_id: str, router_id: str | None = None
) -> CatalogModel | None:
    """The candidate of this name, else the one that engines know by the same id."""
    for model in candidates:
        if model.public_id == public_id:
            return model
    return next((m for m in candidates if router_id and m.router_id == router_id), None)


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
        return weigh(
            answer,
            incumbent,
            request=request,
            candidates=candidates,
            rules=tier.switching,
            loss=loss,
        )
    effort = effort_of(answer)
    if slot is not None and slot.routed == answer.model:
        effort = _highest(slot.effort, effort)
    return Weighed(
        answer,
        sticky=is_sticky(answer, tier.stickiness),
        switch=switch_reason(slot, answer, candidates),
        effort=effort,
    )


def weigh(
    answer: EngineAnswer,
    incumbent: Incumbent,
    *,
    request: RouteRequest,
    candidates: Sequence[CatalogModel],
    rules: SwitchRules,
    loss: float,
) -> Weighed:
    """Weigh a fresh answer against an incumbent that may serve.

    `loss` is the policy's bound: the predicted quality that it gives up for a lower price.
    """
    standing = incumbent.model
    fresh = _find(candidates, public_id=answer.pick or answer.model, router_id=answer.router_model)
    if fresh is None:
        return _stays(answer, incumbent, why="the engine's pick may not serve this request")
    if fresh.router_id == standing.router_id and answer.difficulty != NEEDS_INFO:
        same = replace(answer, model=standing.public_id, router_model=standing.router_id or "")
        effort = _highest(incumbent.effort, effort_of(answer))
        return Weighed(replace(same, pick=None), sticky=True, effort=effort)
    if why := _moves_nobody(answer, rules):
        return _stays(answer, incumbent, why=why)
    if is_harder(effort_of(answer), than=incumbent.effort) and is_more_capable(
        fresh, standing, answer=answer
    ):
        return _upgraded(answer, incumbent, fresh, loss=loss)
    return _saved(answer, incumbent, fresh, request=request, rules=rules)


def _moves_nobody(answer: EngineAnswer, rules: SwitchRules) -> str:
    """The reason why an answer never moves an incumbent; empty if it may."""
    if answer.difficulty == NEEDS_INFO:
        return "the prompt is ambiguous"
    if answer.stand_in:
        return "the answer stands in for a failed engine"
    if answer.confidence is None or answer.confidence < rules.upgrade_confidence:
        return "the answer is not sure enough to switch"
    return ""


def _upgraded(
    answer: EngineAnswer, incumbent: Incumbent, fresh: CatalogModel, *, loss: float
) -> Weighed:
    """The fresh pick, unless the incumbent is good enough at a higher reasoning effort."""
    standing = incumbent.model
    steps = raised_level(standing, effort=incumbent.effort, answer=answer, loss=loss)
    if steps is not None:
        return _raised(answer, incumbent, steps=steps)
    why = f"switches: the prompt takes more than {standing.public_id} was chosen for"
    return _goes(answer, fresh, SwitchReason.UPGRADE, why=why)


def _saved(
    answer: EngineAnswer,
    incumbent: Incumbent,
    fresh: CatalogModel,
    *,
    request: RouteRequest,
    rules: SwitchRules,
) -> Weighed:
    """The fresh pick where it saves enough or the context was rebuilt, else the incumbent."""
    standing, tokens = incumbent.model, context_tokens(request)
    cost = switch_cost(standing, fresh, tokens=tokens, rules=rules)
    is_locked = rules.context_lock_tokens is not None and tokens > rules.context_lock_tokens
    figures = "" if cost is None else _figures(cost, standing, fresh, turns=rules.turns_ahead)
    if cost is not None and cost.saves(rules.saving_margin) and not is_locked:
        return _goes(answer, fresh, SwitchReason.SAVING, why=f"switches to save: {figures}")
    if request.prompt.context_reset:
        return _goes(answer, fresh, SwitchReason.RESET, why="switches: the context was rebuilt")
    return _stays(answer, incumbent, why=figures or "nothing to gain by a switch")


def switch_reason(
    slot: ConversationSlot | None, answer: EngineAnswer, eligible: Sequence[CatalogModel]
) -> SwitchReason | None:
    """The reason for leaving the current model; `None` without a current model."""
    if slot is None or not slot.routed or slot.routed == answer.model:
        return None
    if _find(eligible, public_id=slot.routed, router_id=slot.router_model) is None:
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
    allowed = {m.public_id for m in eligible} - {answer.model}
    order = dict.fromkeys([*ranked, *(m.public_id for m in eligible)])
    return tuple(name for name in order if name in allowed)


def _goes(answer: EngineAnswer, fresh: CatalogModel, reason: SwitchReason, *, why: str) -> Weighed:
    gone = _on(answer, fresh, pick=None, why=why)
    level = reasoning_effort(fresh.reasoning_efforts, effort_of(answer))
    gone = replace(gone, reasoning_effort=level)
    return Weighed(gone, sticky=False, switch=reason, effort=effort_of(answer))


def _stays(answer: EngineAnswer, incumbent: Incumbent, *, why: str) -> Weighed:
    model = incumbent.model
    level = reasoning_effort(model.reasoning_efforts, effort_of(answer) or incumbent.effort)
    stayed = _on(answer, model, pick=answer.pick or answer.model, why=f"stays: {why}")
    stayed = replace(stayed, reasoning_effort=level)
    return Weighed(stayed, sticky=True, effort=incumbent.effort)


def _raised(answer: EngineAnswer, incumbent: Incumbent, *, steps: int) -> Weighed:
    """The incumbent at a higher reasoning effort, which counts as chosen for the harder prompt."""
    levels = incumbent.model.reasoning_efforts
    why = "predicted quality is within the policy's bound"
    weighed = _stays(answer, incumbent, why=why)
    effort = effort_of(answer)
    if not levels:
        return replace(weighed, effort=effort)
    least = level_of(len(levels), incumbent.effort) + steps
    level = levels[max(least, level_of(len(levels), effort))]
    why = f"{why} at reasoning effort {level}" if steps else why
    stayed = replace(_stays(answer, incumbent, why=why).answer, reasoning_effort=level)
    return Weighed(stayed, sticky=True, effort=effort)


def _on(answer: EngineAnswer, model: CatalogModel, *, pick: str | None, why: str) -> EngineAnswer:
    # Remove the text of an earlier weighing.
    words = f"{_JOINT}{answer.explanation or ''}".partition(_MARK)[0].removeprefix(_JOINT)
    return replace(
        answer,
        model=model.public_id,
        router_model=model.router_id or "",
        pick=pick,
        explanation=f"{words}{_MARK}{why}".removeprefix(_JOINT),
    )


_JOINT, _MARK = "; ", "; conversation "


def _figures(cost: SwitchCost, standing: CatalogModel, fresh: CatalogModel, *, turns: int) -> str:
    return (
        f"{turns} turns cost ${cost.stay:.4f} on {standing.public_id}"
        f" and ${cost.switch:.4f} on {fresh.public_id}"
    )


def _highest(*efforts: float | None) -> float | None:
    return max((e for e in efforts if e is not None), default=None)
