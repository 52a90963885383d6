"""The configuration in force for `DescribeRouting`, without secrets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pointsman_server.core.errors import Problem
from pointsman_server.core.policy_file import PolicyFile


class EngineState(StrEnum):
    """The state of an engine."""

    READY = "ready"
    FLAG_OFF = "flag_off"
    CIRCUIT_OPEN = "circuit_open"
    CIRCUIT_HALF_OPEN = "circuit_half_open"
    NO_KEY = "no_key"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineDescription:
    """One engine; `consecutive_failures` is 0 after an answer."""

    name: str
    state: EngineState
    consecutive_failures: int = 0
    third_party: bool = False
    probing: bool = False
    """Whether a half-open circuit's one call is under way."""
    in_flight: int = 0
    max_in_flight: int = 0
    """0: not bounded."""
    failures: Mapping[str, int] = field(default_factory=dict)
    """Stage -> how often, since the process began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """The policy file in force and the state of its engines."""

    rules: PolicyFile
    engines: tuple[EngineDescription, ...]
    loaded_at: float
    """When this version was loaded, in seconds since the epoch."""
    reload_problems: tuple[Problem, ...]
    """The errors of a newer version of the file, if it was refused."""
    server_version: str
    warnings: tuple[Problem, ...] = ()
    """Settings of the file in force that are rarely meant."""
