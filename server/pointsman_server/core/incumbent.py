"""The incumbent of a conversation, and an answer that was weighed against it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum

from pointsman_server.core.conversation_slot import ConversationSlot
from pointsman_server.core.effort import reasoning_effort
from pointsman_server.core.model import (
    CatalogModel,
    EngineAnswer,
    EngineFailure,
    RouteRequest,
    Source,
    SwitchReason,
)
from pointsman_server.core.value import value


class Stay(StrEnum):
    """The reason for staying on the conversation's model without an engine's answer."""

    ALONE = "its provider has no other candidate"
    NO_TASK = "the turn holds no task"
    AMBIGUOUS = "the prompt is ambiguous"
    NOBODY_TO_ASK = "no engine may read the prompt"
    ENGINES_FAILED = "no engine answered"


@value()
class Incumbent:
    """The model that a conversation is on, as this request's candidate."""

    model: CatalogModel
    effort: float | None
    """The effort that it was chosen for; `None`: not known."""
    source: Source
    is_decided: bool = True
    """Whether it was decided for; else the gateway named it."""
    compared: bool = False
    """Whether an engine's answer, no stand-in, was weighed against a model of the conversation."""

    def stays(self, why: Stay, *, failures: tuple[EngineFailure, ...] = ()) -> Weighed:
        """The incumbent where no engine answered."""
        effort = self.effort
        return Weighed(
            EngineAnswer(
                source=self.source,
                model=self.model.public_id,
                router_model=self.model.router_id or "",
                effort=effort,
                reasoning_effort=reasoning_effort(self.model.reasoning_efforts, effort),
                explanation=f"conversation stays: {why}",
                cached=True,
                failures=failures,
            ),
            sticky=True,
            effort=effort,
            compared=self.compared,
        )

    def unasked(self, why: str, *, effort: float | None) -> Weighed:
        """The incumbent where no answer could move the conversation; `effort` is the prompt's."""
        stays = self.stays(Stay.ALONE)
        answer = replace(
            stays.answer,
            effort=effort,
            explanation=f"conversation stays: {why}: no engine is called",
            unasked=True,
        )
        return replace(stays, answer=answer)


@value()
class Weighed:
    """An answer after it was weighed against the incumbent."""

    answer: EngineAnswer
    sticky: bool
    switch: SwitchReason | None = None
    effort: float | None = None
    """The effort for which the conversation's model counts as chosen from now on."""
    compared: bool = False
    """Whether it, or an earlier answer, was weighed against a model of the conversation."""


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
        model = find_candidate(candidates, public_id=named)
        return Incumbent(model, None, source, is_decided=False) if model else None
    if slot is None or not slot.routed:
        return None
    model = find_candidate(candidates, public_id=slot.routed, router_id=slot.router_model)
    return Incumbent(model, slot.effort, source, compared=slot.compared) if model else None


def find_candidate(
    candidates: Sequence[CatalogModel], *, public_id: str, router_id: str | None = None
) -> CatalogModel | None:
    """The candidate of this name, else the one that engines know by the same id."""
    for model in candidates:
        if model.public_id == public_id:
            return model
    return next((m for m in candidates if router_id and m.router_id == router_id), None)
