"""What follows from a routing context alone, before any prompt is read.

Gateways send few distinct contexts, so plans are remembered.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from pointsman_server.core.candidates import Selection, default_model, select
from pointsman_server.core.keys import fingerprint
from pointsman_server.core.model import (
    NO_CONSTRAINTS,
    CatalogModel,
    Constraints,
    RoutingContext,
    Tier,
)
from pointsman_server.core.policy_file import PolicyFile

MINIMUM_CANDIDATES = 2
"""With fewer there is no decision to make, and nobody is called."""

REMEMBERED = 4_096


@dataclass(frozen=True, slots=True)
class Plan:
    """A tier, the candidates to decide between, and what identifies that choice."""

    tier: Tier
    selection: Selection
    default: CatalogModel | None
    """`None` where there are too few candidates to decide between."""
    fingerprint: bytes


class Planner:
    """Makes plans under one version of the policy file."""

    def __init__(self, rules: PolicyFile) -> None:
        self._rules = rules
        self._remembered = lru_cache(maxsize=REMEMBERED)(self._plan)

    def plan(
        self, routing: RoutingContext, constraints: Constraints, engines: tuple[str, ...]
    ) -> Plan | None:
        """The plan; `None` where no tier is called like `routing.auto_model`."""
        # By its fields, since what hashes and compares a dataclass is Python.
        return self._remembered(
            routing.auto_model,
            routing.candidate_models,
            routing.resolved_model,
            None if constraints is NO_CONSTRAINTS else constraints,
            engines,
        )

    def _plan(
        self,
        auto_model: str,
        candidate_models: tuple[str, ...],
        resolved_model: str | None,
        constraints: Constraints | None,
        engines: tuple[str, ...],
    ) -> Plan | None:
        rules = self._rules
        tier = rules.tiers.get(auto_model)
        if tier is None:
            return None
        ids = rules.candidate_ids(candidate_models, tier)
        selection = select(ids, rules=rules, constraints=constraints or NO_CONSTRAINTS)
        if len(selection.eligible) < MINIMUM_CANDIDATES:
            return Plan(tier, selection, None, b"")
        static_pick = rules.catalog.get(resolved_model or "")
        default = default_model(selection.eligible, static_pick)
        mark = fingerprint(
            policy=tier.policy,
            router_ids=tuple(m.router_id or "" for m in selection.eligible),
            default=default.router_id or "",
            engines=engines,
            rules=rules.rules_digest,
        )
        return Plan(tier, selection, default, mark)
