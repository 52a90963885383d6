"""The result of `describe`: the configuration in force at the service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Mode(StrEnum):
    """The use of decisions: none, recorded only, or served."""

    OFF = "off"
    SHADOW = "shadow"
    SERVE = "serve"
    UNRECOGNISED = "unrecognised"


class Stickiness(StrEnum):
    """The lifetime of one decision."""

    EXACT = "exact"
    CONVERSATION = "conversation"
    ADAPTIVE = "adaptive"
    UNRECOGNISED = "unrecognised"


class OrganizationPolicy(StrEnum):
    """The treatment of requests whose caller belongs to an organisation."""

    EXCLUDED = "excluded"
    LOCAL_ONLY = "local_only"
    ALLOWED = "allowed"
    UNRECOGNISED = "unrecognised"


class EngineState(StrEnum):
    """The state of an engine."""

    READY = "ready"
    FLAG_OFF = "flag_off"
    CIRCUIT_OPEN = "circuit_open"
    CIRCUIT_HALF_OPEN = "circuit_half_open"
    NO_KEY = "no_key"
    UNRECOGNISED = "unrecognised"


@dataclass(frozen=True, slots=True, kw_only=True)
class TierDescription:
    """A tier and how it is routed."""

    name: str
    policy: str
    stickiness: Stickiness | None
    default_candidates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDescription:
    """A model of the catalog. Prices are US dollars per million tokens; `None`: not known."""

    model: str
    router_model: str
    routable: bool
    input_price: float | None = None
    output_price: float | None = None
    context_window: int | None = None
    cached_input_price: float | None = None
    reasoning_efforts: tuple[str, ...] = ()
    """Levels that requests may ask of it, lowest first."""
    routine: float | None = None
    """How well it does work that most models can do, 0 to 1."""
    heavy: Mapping[str, float] = field(default_factory=dict)
    """How well it does work that few models can do, 0 to 1, by kind of work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineDescription:
    """An engine and its state; prompts sent to a `third_party` leave the service."""

    name: str
    state: EngineState | None
    consecutive_failures: int = 0
    third_party: bool = False
    probing: bool = False
    in_flight: int = 0
    max_in_flight: int = 0
    failures: Mapping[str, int] = field(default_factory=dict)
    """Failures since the start of the service's process, by stage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileShare:
    """A profile's part of a split: its share of the runs, 0 to 1."""

    profile: str
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PurposeDescription:
    """A purpose and its route: the profiles that its runs are split over, or a tier."""

    name: str
    candidates: tuple[ProfileShare, ...] = ()
    fallback_profiles: tuple[str, ...] = ()
    tier: str = ""
    """Empty: the route names none."""
    eligible_errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileDescription:
    """An LLM config."""

    name: str
    provider: str
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyProblem:
    """One thing wrong in the newest version of the policy file, and its path there."""

    path: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingDescription:
    """The configuration in force. `reload_problems` is empty if the file on disk is in force."""

    mode: Mode | None
    serve_percent: float
    tiers: tuple[TierDescription, ...]
    models: tuple[ModelDescription, ...]
    engines: tuple[EngineDescription, ...]
    policy_version: str
    policy_loaded_at: datetime | None
    reload_problems: tuple[PolicyProblem, ...]
    server_version: str
    third_party_allowed: bool
    organizations_allowed: bool
    purposes: tuple[PurposeDescription, ...] = ()
    profiles: tuple[ProfileDescription, ...] = ()
    organizations: OrganizationPolicy | None = None
    """`None`: the service is older than the field."""
    warnings: tuple[PolicyProblem, ...] = ()
    """Valid but suspicious settings of the file in force."""
