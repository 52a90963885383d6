"""`tiers`: the pseudo-models that users select, with their routing."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pointsman_server.core.model import Stickiness, Tier
from pointsman_server.policies.sections.base import Section
from pointsman_server.policies.sections.catalog import ModelId
from pointsman_server.policies.sections.lists import DISTINCT, ListOf

MAX_CANDIDATES = 32
"""The maximum number of candidates, as in a request."""

PolicyName = Literal["balanced", "capability_heavy", "cost_efficient", "domain_skills"]
StickinessName = Literal["exact", "conversation"]


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

    def to_core(self, name: str, *, stickiness: StickinessName) -> Tier:
        """Give the tier as a core value; `stickiness` is the file's own."""
        return Tier(
            name=name,
            policy=self.policy,
            stickiness=Stickiness(self.stickiness or stickiness),
            default_candidates=self.candidates,
        )
