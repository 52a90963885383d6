"""The plan of a routing context, which depends on no prompt.

Gateways send few distinct contexts, so plans are remembered.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from functools import lru_cache

from pointsman_server.core.candidates import Selection, default_model, fails, select
from pointsman_server.core.conversation_slot import ConversationSlot
from pointsman_server.core.keys import fingerprint
from pointsman_server.core.model import (
    NO_CONSTRAINTS,
    CatalogModel,
    Constraints,
    RouteRequest,
    RoutingContext,
    Tier,
    provider_of,
)
from pointsman_server.core.policy_file import PolicyFile

MINIMUM_CANDIDATES = 2
"""With fewer there is no decision to make, and nobody is called."""

BEYOND = 2**32
"""Tokens that no context window holds."""
REMEMBERED = 1_024
LONGEST_REMEMBERED = 4_096
"""Characters of all names of a context; one with more is thought through each time."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A tier, its eligible candidates, and the identity of that choice."""

    tier: Tier
    selection: Selection
    default: CatalogModel | None
    """`None` if there are too few candidates."""
    fingerprint: bytes
    """Of the candidates without a provider fence: a cached decision is found with and without.
    Empty where nothing is decided."""
    sole: CatalogModel | None = None
    """The one candidate that is left, where the static pick fails the request's constraints."""
    fenced_out: bool = False
    """Whether candidates are left, but none of the provider that may read the state."""


class Planner:
    """Makes plans under one version of the policy file."""

    def __init__(self, rules: PolicyFile) -> None:
        self._rules = rules
        self._remembered = lru_cache(maxsize=REMEMBERED)(self._plan)
        windows = {m.context_window for m in rules.catalog.values() if m.context_window is not None}
        self._windows = sorted(windows)

    def plan(
        self,
        routing: RoutingContext,
        constraints: Constraints,
        engines: tuple[str, ...],
        *,
        provider: str | None = None,
    ) -> Plan | None:
        """The plan; `None` where no tier is called like `routing.auto_model`.

        `provider` fences it: one candidate of that provider is then enough.
        """
        if constraints.prompt_tokens_estimate is not None:
            alike = self.alike(constraints.prompt_tokens_estimate)
            constraints = replace(constraints, prompt_tokens_estimate=alike)
        names = *routing.candidate_models, *constraints.denied_models
        is_long = sum(map(len, names)) > LONGEST_REMEMBERED
        # By its fields, because a dataclass is hashed and compared in Python.
        return (self._plan if is_long else self._remembered)(
            routing.auto_model,
            routing.candidate_models,
            routing.resolved_model,
            None if constraints is NO_CONSTRAINTS else constraints,
            engines,
            provider,
        )

    def fenced(
        self,
        plan: Plan,
        request: RouteRequest,
        slot: ConversationSlot | None,
        *,
        engines: tuple[str, ...],
    ) -> Plan:
        """`plan` within the provider that the conversation is held to, if it is held to one."""
        provider = fence_provider(request, slot)
        if provider is None or request.routing is None:
            return plan
        return self.plan(request.routing, request.constraints, engines, provider=provider) or plan

    def alike(self, tokens: int) -> int:
        """The largest estimate of a prompt's tokens that fits the same models as `tokens`."""
        # Every request has a different estimate, but a catalog has few windows.
        place = bisect_left(self._windows, tokens)
        return self._windows[place] if place < len(self._windows) else BEYOND

    def _plan(  # noqa: PLR0917  (by position, for the memo around it)
        self,
        auto_model: str,
        candidate_models: tuple[str, ...],
        resolved_model: str | None,
        constraints: Constraints | None,
        engines: tuple[str, ...],
        provider: str | None,
    ) -> Plan | None:
        rules = self._rules
        tier = rules.tiers.get(auto_model)
        if tier is None:
            return None
        given = constraints or NO_CONSTRAINTS
        static_pick = rules.catalog.get(resolved_model or "")
        ids = rules.candidate_ids(candidate_models, tier)
        selection = select(ids, rules=rules, constraints=given)
        own = selection
        if provider is not None:
            own = select(ids, rules=rules, constraints=given, provider=provider)
        alone = len(selection.eligible) < MINIMUM_CANDIDATES
        # A fence may leave a model whose context window another provider's exceeds.
        undecided = alone and (not selection.eligible or own.eligible == selection.eligible)
        mark = b""
        if selection.eligible and (not alone or given.keep_provider):
            default = default_model(selection.eligible, static_pick)
            mark = fingerprint(
                policy=tier.policy,
                router_ids=tuple(m.router_id or "" for m in selection.eligible),
                default=default.router_id or "",
                engines=engines,
                rules=rules.rules_digest,
            )
        if undecided:
            sole = _sole(selection, resolved_model, static_pick, given)
            return Plan(tier, selection, None, mark, sole)
        if not own.eligible:
            return Plan(tier, own, None, mark, fenced_out=True)
        return Plan(tier, own, default_model(own.eligible, static_pick), mark)


def _sole(
    selection: Selection,
    resolved_model: str | None,
    static_pick: CatalogModel | None,
    constraints: Constraints,
) -> CatalogModel | None:
    if len(selection.eligible) != 1 or resolved_model is None:
        return None
    denied = resolved_model in constraints.denied_models
    unable = static_pick is not None and fails(static_pick, constraints)
    return selection.eligible[0] if denied or unable else None


def fence_provider(request: RouteRequest, slot: ConversationSlot | None) -> str | None:
    """The provider that may read the conversation's state; `None`: any may.

    That of the model served last: as the gateway says, else as the slot says, else that of the
    static pick.
    """
    if not request.constraints.keep_provider:
        return None
    named = request.routing.incumbent_model if request.routing else None
    served = named or (slot.served if slot else "") or request.static_pick
    return provider_of(served) if served else None
