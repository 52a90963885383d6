"""Which engines may be asked for one request: the flag, the data policy, organisations."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from pointsman_server.core.model import DataPolicy, Organizations, Reason, RouteRequest
from pointsman_server.core.policy_file import PolicyFile

THIRD_PARTY = frozenset({"morph"})
"""Engines outside this process: a prompt that is sent to one has left the house."""

REMEMBERED = 64


@dataclass(frozen=True, slots=True)
class EligibleEngines:
    """Engine names in order; where there are none, `reason` says by what."""

    names: tuple[str, ...]
    reason: Reason | None = None


EXCLUDED = EligibleEngines((), Reason.ORGANIZATION_EXCLUDED)


def eligible_engines(request: RouteRequest, *, rules: PolicyFile, flag_on: bool) -> EligibleEngines:
    """The policy file's engines, less those that the flag or the prompt's owner forbids."""
    of_organization = request.caller.organization_id is not None
    if of_organization and rules.organizations is Organizations.EXCLUDED:
        return EXCLUDED
    return _in_force(rules.engines, flag_on, _third_party_allowed(request, rules))


@lru_cache(maxsize=REMEMBERED)
def _in_force(engines: tuple[str, ...], flag_on: bool, allowed: bool) -> EligibleEngines:
    names = tuple(n for n in engines if flag_on or n not in THIRD_PARTY)
    if not names:
        return EligibleEngines((), Reason.FLAG_OFF)
    if not allowed:
        names = tuple(n for n in names if n not in THIRD_PARTY)
    return EligibleEngines(names, None if names else Reason.THIRD_PARTY_DENIED)


def _third_party_allowed(request: RouteRequest, rules: PolicyFile) -> bool:
    of_organization = request.caller.organization_id is not None
    if of_organization and rules.organizations is not Organizations.ALLOWED:
        return False
    asked = request.data_policy
    policy = rules.data_policy if asked is DataPolicy.UNSPECIFIED else asked
    return policy is not DataPolicy.THIRD_PARTY_DENIED
