"""Weigh a fresh answer against the incumbent: whether a conversation leaves its model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pointsman_server.core.effort import (
    NEEDS_INFO,
    confidence_above,
    confidence_within,
    effort_of,
    is_harder,
    is_hardest,
    level_of,
    reasoning_effort,
)
from pointsman_server.core.incumbent import Incumbent, Weighed, find_candidate
from pointsman_server.core.model import (
    CatalogModel,
    EngineAnswer,
    RouteRequest,
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
    fresh = find_candidate(
        candidates, public_id=answer.pick or answer.model, router_id=answer.router_model
    )
    if fresh is None:
        return _stays(answer, incumbent, why="the engine's pick may not serve this request")
    harder = is_harder(effort_of(answer), than=incumbent.effort)
    sure = confidence_above(answer, incumbent.effort) if harder else confidence_within(answer)
    why = _moves_nobody(answer, sure, rules)
    if fresh.router_id == standing.router_id and answer.difficulty != NEEDS_INFO:
        same = replace(answer, model=standing.public_id, router_model=standing.router_id or "")
        # What moves nobody raises no bar either.
        effort = incumbent.effort if why else highest(incumbent.effort, effort_of(answer))
        return Weighed(replace(same, pick=None), sticky=True, effort=effort)
    if why:
        return _stays(answer, incumbent, why=why)
    if harder and is_more_capable(fresh, standing, answer=answer):
        return _upgraded(answer, incumbent, fresh, loss=loss)
    return _saved(answer, incumbent, fresh, request=request, rules=rules)


def nothing_moves(
    incumbent: Incumbent,
    *,
    request: RouteRequest,
    candidates: Sequence[CatalogModel],
    rules: SwitchRules,
) -> str:
    """Why no answer could change what a conversation is served; empty if one could.

    By `weigh`: nothing is harder than the task that the incumbent was chosen for, no candidate
    saves enough, the context was not rebuilt, and there is no reasoning effort to choose. The
    task right after a first decision is sent nevertheless: the log then has its figures. A tool
    loop that repeats the first prompt is such a comparison, too.
    """
    standing = incumbent.model
    may_move = request.prompt.context_reset or not is_hardest(incumbent.effort)
    if may_move or not incumbent.compared or len(standing.reasoning_efforts) > 1:
        return ""
    others = [c for c in candidates if c.router_id != standing.router_id]
    bills = [_bill(standing, other, request=request, rules=rules) for other in others]
    known = [bill for bill in bills if bill.cost is not None]
    if any(bill.saves for bill in known):
        return ""
    cheapest = min(known, key=lambda bill: bill.cost.switch if bill.cost else 0.0, default=None)
    figures = f", and {cheapest.figures}" if cheapest else ""
    return f"it was chosen for a hard task{figures}"


def replayed(weighed: Weighed) -> EngineAnswer:
    """The answer as its prompt gets it again, when a switch is past."""
    answer = weighed.answer
    if weighed.switch is None:
        return answer
    words = (answer.explanation or "").replace(_SWITCHES, _SWITCHED, 1)
    return replace(answer, explanation=words)


def _moves_nobody(answer: EngineAnswer, sure: float | None, rules: SwitchRules) -> str:
    """The reason why an answer never moves an incumbent; empty if it may."""
    if answer.difficulty == NEEDS_INFO:
        return "the prompt is ambiguous"
    if answer.stand_in:
        return "the answer stands in for a failed engine"
    if sure is None or sure < rules.upgrade_confidence:
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
    why = f"the prompt takes more than {standing.public_id} was chosen for"
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
    bill = _bill(incumbent.model, fresh, request=request, rules=rules)
    if bill.saves:
        return _goes(answer, fresh, SwitchReason.SAVING, why=f"it saves: {bill.figures}")
    if request.prompt.context_reset:
        return _goes(answer, fresh, SwitchReason.RESET, why="the context was rebuilt")
    return _stays(answer, incumbent, why=bill.figures or "nothing to gain by a switch")


@dataclass(frozen=True, slots=True)
class _Bill:
    cost: SwitchCost | None
    """`None`: unknown prices."""
    saves: bool
    figures: str


def _bill(
    standing: CatalogModel, fresh: CatalogModel, *, request: RouteRequest, rules: SwitchRules
) -> _Bill:
    """The bill of a switch from one model to another."""
    tokens = context_tokens(request)
    cost = switch_cost(standing, fresh, tokens=tokens, rules=rules)
    if cost is None:
        return _Bill(None, saves=False, figures="")
    is_locked = rules.context_lock_tokens is not None and tokens > rules.context_lock_tokens
    figures = (
        f"{rules.turns_ahead} turns cost ${cost.stay:.4f} on {standing.public_id}"
        f" and ${cost.switch:.4f} on {fresh.public_id}"
    )
    return _Bill(cost, saves=cost.saves(rules.saving_margin) and not is_locked, figures=figures)


def _goes(answer: EngineAnswer, fresh: CatalogModel, reason: SwitchReason, *, why: str) -> Weighed:
    gone = _on(answer, fresh, pick=None, why=f"{_SWITCHES}{why}")
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
    """Keep the incumbent at a higher reasoning effort, as if chosen for the harder prompt."""
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
_SWITCHES, _SWITCHED = "switches: ", "stays on this prompt's model: "


def highest(*efforts: float | None) -> float | None:
    """The highest effort that is known; `None` where none is."""
    return max((e for e in efforts if e is not None), default=None)
