"""`tiers`: the pseudo-models that users select, with their routing."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Literal

from pydantic import Field

from pointsman_server.core.model import Stickiness, SwitchRules, Tier
from pointsman_server.policies.sections.base import Section
from pointsman_server.policies.sections.catalog import ModelId
from pointsman_server.policies.sections.lists import DISTINCT, ListOf
from pointsman_server.policies.sections.scalars import number, whole

MAX_CANDIDATES = 32
"""The maximum number of candidates, as in a request."""

PolicyName = Literal["balanced", "capability_heavy", "cost_efficient", "domain_skills"]
StickinessName = Literal["exact", "conversation", "adaptive"]

_SWITCHING = SwitchRules()
_SWITCHING_KEYS = {field.name for field in fields(SwitchRules)}


class TierSection(Section):
    """One tier."""

    policy: PolicyName
    """The trade-off of its engines between quality and cost."""
    candidates: Annotated[ListOf[ModelId], Field(max_length=MAX_CANDIDATES), DISTINCT] = ()
    """The candidates of requests without candidates. A request's own candidates
    always win.
    """
    stickiness: StickinessName | None = None
    """The lifetime of one decision, if it differs from the file's `stickiness`."""
    upgrade_confidence: Annotated[float, number(0, 1)] = _SWITCHING.upgrade_confidence
    """Stickiness `adaptive`: the confidence from which an answer may move a conversation to
    another model.
    """
    turns_ahead: Annotated[int, whole(1, 1_000)] = _SWITCHING.turns_ahead
    """Stickiness `adaptive`: the turns over which staying and switching are compared in dollars."""
    saving_margin: Annotated[float, number(0, 1)] = _SWITCHING.saving_margin
    """Stickiness `adaptive`: the share of those dollars that a switch has to save."""
    context_lock_tokens: Annotated[int, whole(1, 1_000_000_000)] | None = None
    """Stickiness `adaptive`: tokens of context above which no saving is worth a switch. Left out:
    no such bound.
    """
    answer_tokens: Annotated[int, whole(1, 1_000_000)] = _SWITCHING.answer_tokens
    """Stickiness `adaptive`: the length of an answer that the comparison expects, in tokens."""

    def to_core(self, name: str, *, stickiness: StickinessName) -> Tier:
        """Give the tier as a core value; `stickiness` is the file's own."""
        return Tier(
            name=name,
            policy=self.policy,
            stickiness=Stickiness(self.stickiness or stickiness),
            default_candidates=self.candidates,
            switching=SwitchRules(**self.model_dump(include=_SWITCHING_KEYS)),
        )
