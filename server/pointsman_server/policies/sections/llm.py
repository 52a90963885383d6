"""`llm`: purposes, the profiles that serve them, and the routes between the two."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import AfterValidator, Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

from pointsman_server.core.routes import (
    DEFAULT_PROFILE,
    ELIGIBLE_ERRORS,
    PURPOSES,
    LlmRules,
    Profile,
    Route,
)
from pointsman_server.core.weighted_split import Weighted
from pointsman_server.policies.diagnostics import Diagnostic, KeyPath, named
from pointsman_server.policies.sections.base import Section
from pointsman_server.policies.sections.inheritance import Inherited, inherited, to_profile
from pointsman_server.policies.sections.lists import DISTINCT, ListOf
from pointsman_server.policies.sections.profiles import ProfileSection
from pointsman_server.policies.sections.scalars import Scalar, name, whole

ProfileName = Annotated[str, name(64)]
PurposeName = Annotated[str, name(64)]

_KINDS = ("timeout", "connection", "unusable_response")
_LOWEST, _HIGHEST = 400, 599


def error_kind() -> Scalar:
    """Describe an error after which the next profile is tried: a kind, or an HTTP status."""
    bounds = "`timeout`, `connection`, `unusable_response`, 400 to 599, `4xx`, `5xx`"

    def checked(value: object) -> str:
        text = str(value).removeprefix("http_")
        if isinstance(value, int | str) and not isinstance(value, bool):
            if text in _KINDS:
                return text
            if text in {"4xx", "5xx"} or (text.isdecimal() and _LOWEST <= int(text) <= _HIGHEST):
                return f"http_{text}"
        raise ValueError(f"must be one of {bounds}")

    return Scalar(checked, {"type": ["integer", "string"]}, bounds)


EligibleErrors = Annotated[
    tuple[Annotated[str, error_kind()], ...], Field(strict=False, max_length=64), DISTINCT
]


def _some(candidates: tuple[CandidateSection, ...]) -> tuple[CandidateSection, ...]:
    # Not `min_length`: that would also be reported if single candidates are invalid.
    if not candidates:
        raise ValueError("needs 1 or more entries")
    return candidates


class CandidateSection(Section):
    """One profile of a split."""

    profile: ProfileName
    """One of the profiles that runs are split over."""
    weight: Annotated[int, whole(1, 1_000_000)]
    """Its share of the runs, against the other weights."""


class RouteSection(Section):
    """The route of one purpose: a profile, a split over several, or a tier."""

    profile: ProfileName | None = None
    """The profile that serves the purpose; `default` if it is absent. `<purpose>: NAME`
    is short for it.
    """
    candidates: Annotated[
        tuple[CandidateSection, ...], Field(strict=False, max_length=64), AfterValidator(_some)
    ] = ()
    """The profiles that runs are split over."""
    tier: Annotated[str, name()] | None = None
    """A tier of this file; decides like `RouteDecision`."""
    fallback_profiles: Annotated[ListOf[ProfileName], Field(max_length=64), DISTINCT] = ()
    """The profiles to try after these, in order."""
    eligible_errors: EligibleErrors | None = None
    """The errors after which the next one is tried, if they differ from those of `llm`."""

    @model_validator(mode="before")
    @classmethod
    def _a_name_is_a_profile(cls, value: object) -> object:
        """Take text for the short form: the profile's name."""
        if isinstance(value, str):
            return {"profile": value}
        if value is not None and not isinstance(value, dict):
            raise ValueError("must be the name of a profile, or a mapping")
        return value

    def to_core(self, *, eligible_errors: tuple[str, ...]) -> Route:
        """Give the route as a core value; `eligible_errors` are those of `llm`."""
        split = tuple(Weighted(profile=c.profile, weight=c.weight) for c in self.candidates)
        if not split and self.tier is None:
            split = (Weighted(profile=self.profile or DEFAULT_PROFILE, weight=1),)
        own = self.eligible_errors
        return Route(
            candidates=split,
            fallback_profiles=self.fallback_profiles,
            tier=self.tier,
            eligible_errors=eligible_errors if own is None else own,
        )


class _NameOrRoute:
    """Says in the JSON Schema that a route may be a profile's name."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        found = handler(schema)
        route = found["additionalProperties"]
        return {**found, "additionalProperties": {"anyOf": [{"type": "string"}, route]}}


class LlmSection(ProfileSection):
    """Purposes, profiles and routes. Profile keys at this level belong to `default`."""

    profiles: Annotated[dict[ProfileName, ProfileSection], Field(max_length=1_000)] = Field(
        default_factory=dict
    )
    """Named profiles; each inherits keys that it does not set."""
    purposes: Annotated[ListOf[PurposeName], Field(max_length=256), DISTINCT] = ()
    """Purposes besides `main_loop`, `addressing`, `heartbeat`, `plan_create` and `memory_draft`."""
    routes: Annotated[dict[PurposeName, RouteSection], Field(max_length=300), _NameOrRoute()] = (
        Field(default_factory=dict)
    )
    """Routes by purpose; a purpose without a route uses `default`."""
    eligible_errors: EligibleErrors = ELIGIBLE_ERRORS
    """The errors after which the next profile is tried."""

    def to_core(self) -> LlmRules:
        """Give the section as a core value."""
        profiles = dict(self._profiles())
        return LlmRules(
            profiles=MappingProxyType(profiles), routes=MappingProxyType(self._routes(profiles))
        )

    def advice(self) -> Iterator[Diagnostic]:
        """Warn of credentials that are not inherited, and of endpoints that are."""
        for profile_name, found in self._inherited():
            path: KeyPath = ("llm", "profiles", profile_name)
            if found.lost:
                message = (
                    f"changes {named(found.moved)}, so {named(found.lost)} of `llm` is not"
                    " inherited: a credential belongs to its provider"
                )
                yield Diagnostic((*path, found.lost[0].partition(".")[0]), message)
            if found.moved == ("provider",) and "endpoint" in found.settings.keys() - found.own:
                message = "is inherited from `llm`, though the profile changes `provider`"
                yield Diagnostic((*path, "endpoint"), message)

    def _inherited(self) -> Iterator[tuple[str, Inherited]]:
        for profile_name, profile in self.profiles.items():
            yield profile_name, inherited(profile, base=self)

    def _profiles(self) -> Iterator[tuple[str, Profile]]:
        settings = self.settings()
        if "provider" in settings and "model" in settings:
            yield DEFAULT_PROFILE, to_profile(DEFAULT_PROFILE, settings)
        for profile_name, found in self._inherited():
            yield profile_name, to_profile(profile_name, found.settings)

    def _routes(self, profiles: dict[str, Profile]) -> dict[str, Route]:
        """One for each purpose; empty where it has none and there is no `default` either."""
        unrouted = Route(eligible_errors=self.eligible_errors)
        if DEFAULT_PROFILE in profiles:
            unrouted = RouteSection().to_core(eligible_errors=self.eligible_errors)
        routes = dict.fromkeys((*PURPOSES, *self.purposes), unrouted)
        return routes | {
            purpose: route.to_core(eligible_errors=self.eligible_errors)
            for purpose, route in self.routes.items()
        }
