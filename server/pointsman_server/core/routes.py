"""Purposes, profiles and attempts: `llm` of the policy file, and the resolution of routes.

Pure: a resolution depends on the file and the request alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from pointsman_server.core.errors import UnknownProfile, UnknownPurpose
from pointsman_server.core.model import Outcome, RouteRequest
from pointsman_server.core.weighted_split import Weighted, share, split_order

DEFAULT_PROFILE = "default"
"""The profile that stands directly under `llm`."""

PURPOSES = ("main_loop", "addressing", "heartbeat", "plan_create", "memory_draft")
"""Those that need no declaration."""

ELIGIBLE_ERRORS = (
    "timeout",
    "connection",
    "http_408",
    "http_409",
    "http_425",
    "http_429",
    "http_5xx",
    "unusable_response",
)
"""The errors after which the next attempt is made, unless the file says otherwise."""

Parameter: TypeAlias = "str | float | bool | Mapping[str, Parameter]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A named LLM config, inheritance done. It holds names of secrets, never secrets."""

    name: str
    provider: str
    model: str
    endpoint: str | None = None
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    credential_ref: str | None = None
    """`env:NAME`: the caller's environment variable NAME holds the API key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The route of one purpose: a split over profiles, or a tier with a decision."""

    candidates: tuple[Weighted, ...] = ()
    """In the file's order; one where there is no split; empty where `tier` is set."""
    fallback_profiles: tuple[str, ...] = ()
    tier: str | None = None
    eligible_errors: tuple[str, ...] = ELIGIBLE_ERRORS


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmRules:
    """`llm` of the policy file."""

    profiles: Mapping[str, Profile] = field(default_factory=dict)
    routes: Mapping[str, Route] = field(default_factory=dict)
    """One for each purpose that the file knows; without candidates and tier where no profile
    serves it."""


NO_LLM = LlmRules(routes={purpose: Route() for purpose in PURPOSES})


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveRequest:
    """One `ResolveRoute` request, validated."""

    purpose: str
    run_id: str
    profile_override: str | None = None
    ask: RouteRequest | None = None
    """The request to decide, if the route names a tier; its `routing` lacks the tier's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One LLM config to try; `profile` is empty for a tier's candidate without a profile."""

    profile: str
    provider: str
    model: str
    endpoint: str | None = None
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    credential_ref: str | None = None
    share: float = 0.0
    """The share of runs that this is the first attempt of, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """The attempts for one purpose in one run, in order."""

    attempts: tuple[Attempt, ...]
    eligible_errors: tuple[str, ...]
    policy_version: str
    outcome: Outcome | None = None
    """Of the decision, where the route names a tier."""


def route_of(rules: LlmRules, purpose: str) -> Route:
    """The purpose's route. Raises `UnknownPurpose`."""
    route = rules.routes.get(purpose)
    if route is None:
        raise UnknownPurpose
    return route


def profile_attempts(rules: LlmRules, route: Route, request: ResolveRequest) -> tuple[Attempt, ...]:
    """The run's profile, the other candidates in the file's order, then the fallback profiles.

    An override replaces route and split. No profile is there twice. Raises `UnknownProfile`.
    """
    split = route.candidates
    if request.profile_override is not None:
        split = (Weighted(profile=request.profile_override, weight=1),)
    if not split:
        raise UnknownProfile
    chosen = split_order(split, purpose=request.purpose, run_id=request.run_id)[0]
    shares = {c.profile: share(c, split) for c in split}
    names = (chosen.profile, *shares, *route.fallback_profiles)
    return tuple(attempt_of(_profile(rules, n), share=shares.get(n, 0.0)) for n in distinct(names))


def fallback_attempts(rules: LlmRules, route: Route) -> tuple[Attempt, ...]:
    """The route's fallback profiles."""
    return tuple(attempt_of(_profile(rules, n), share=0.0) for n in route.fallback_profiles)


def attempt_of(profile: Profile, *, share: float) -> Attempt:
    """A profile as something to try."""
    return Attempt(
        profile=profile.name,
        provider=profile.provider,
        model=profile.model,
        endpoint=profile.endpoint,
        parameters=profile.parameters,
        credential_ref=profile.credential_ref,
        share=share,
    )


def distinct(names: Iterable[str]) -> tuple[str, ...]:
    """Remove repeated names; each keeps its first place."""
    return tuple(dict.fromkeys(names))


def _profile(rules: LlmRules, name: str) -> Profile:
    profile = rules.profiles.get(name)
    if profile is None:
        raise UnknownProfile
    return profile
