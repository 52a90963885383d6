"""The result of `resolve`: LLM configs in the order to try them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pointsman_client.results import RouteResult

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
"""After which errors the next attempt is made, where nobody says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One LLM config to try. It names its credential and never holds it."""

    provider: str
    model: str
    profile: str = ""
    """The profile's name; empty if a tier's candidate has no profile."""
    endpoint: str | None = None
    """Base URL; `None`: the provider's usual one."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Further settings; whole numbers are ints. `${NAME}` in one names an environment variable."""
    credential_ref: str | None = None
    """`env:NAME`: the environment variable NAME holds the API key. `None`: there is none."""
    share: float = 0.0
    """The share of runs that this is the first attempt of, 0 to 1."""

    @property
    def name(self) -> str:
        """The profile, or the model where there is none: tells the attempts of a route apart."""
        return self.profile or self.model


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedRoute:
    """The attempts for one purpose in one run."""

    purpose: str
    run_id: str
    attempts: tuple[Attempt, ...]
    """In this order, none twice."""
    eligible_errors: tuple[str, ...] = ELIGIBLE_ERRORS
    """`timeout`, `connection`, `unusable_response`, `http_<status>`, `http_4xx`, `http_5xx`."""
    policy_version: str = ""
    decision: RouteResult | None = None
    """The decision, if the route names a tier."""
