"""Engines that may be called for one request, by switches, data policy and organisation."""

from __future__ import annotations

from pointsman_server.core.model import (
    DataPolicy,
    Organizations,
    Reason,
    RouteRequest,
    SwitchValues,
)
from pointsman_server.core.policy_file import PolicyFile
from pointsman_server.core.value import value


@value()
class EligibleEngines:
    """Engine names in order; where there are none, `reason` says why."""

    names: tuple[str, ...]
    reason: Reason | None = None


EXCLUDED = EligibleEngines((), Reason.ORGANIZATION_EXCLUDED)


def eligible_engines(
    request: RouteRequest, *, rules: PolicyFile, switches: SwitchValues
) -> EligibleEngines:
    """Select the policy file's engines, less those that a switch or the prompt's owner forbids."""
    if _excluded(request, rules):
        return EXCLUDED
    on = tuple([n for n in rules.engines if switches.permits(rules.source_of(n))])
    if not on:
        return EligibleEngines((), Reason.FLAG_OFF)
    if _third_party_allowed(request, rules):
        return EligibleEngines(on)
    names = tuple([n for n in on if not rules.is_third_party(n)])
    return EligibleEngines(names, None if names else Reason.THIRD_PARTY_DENIED)


def may_classify(
    engine: str, request: RouteRequest, *, rules: PolicyFile, switches: SwitchValues
) -> bool:
    """Whether a request's prompt may be sent to an engine for its labels."""
    if _excluded(request, rules) or not switches.permits(rules.source_of(engine)):
        return False
    return not rules.is_third_party(engine) or _third_party_allowed(request, rules)


def _excluded(request: RouteRequest, rules: PolicyFile) -> bool:
    of_organization = request.caller.organization_id is not None
    return of_organization and rules.organizations is Organizations.EXCLUDED


def _third_party_allowed(request: RouteRequest, rules: PolicyFile) -> bool:
    of_organization = request.caller.organization_id is not None
    if of_organization and rules.organizations is not Organizations.ALLOWED:
        return False
    asked = request.data_policy
    policy = rules.data_policy if asked is DataPolicy.UNSPECIFIED else asked
    return policy is not DataPolicy.THIRD_PARTY_DENIED
