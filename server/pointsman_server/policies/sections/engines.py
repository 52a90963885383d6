"""`engines`: who decides, in which order, and how each is asked."""

from __future__ import annotations

from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field

from pointsman_server.core.policy_file import BreakerRules, LocalRules, MorphRules
from pointsman_server.policies.sections.base import Section
from pointsman_server.policies.sections.catalog import Share
from pointsman_server.policies.sections.lists import DISTINCT, ListOf
from pointsman_server.policies.sections.scalars import duration, file_path, variable_name, whole
from pointsman_server.policies.sections.tiers import PolicyName
from pointsman_server.policies.sections.urls import base_url

EngineName = Literal["morph", "local"]

_BREAKER = BreakerRules()
_MORPH = MorphRules()
_QUALITY_LOSS: dict[PolicyName, float] = {
    "capability_heavy": 0.02,
    "balanced": 0.05,
    "cost_efficient": 0.10,
    "domain_skills": 0.0,
}


class BreakerSection(Section):
    """When an engine is given a rest."""

    failures: Annotated[int, whole(1, 1_000)] = _BREAKER.failures
    """Failures in a row that open the circuit: the engine is not asked any more."""
    pause: Annotated[float, duration("100ms", "1h")] = _BREAKER.pause
    """How long the circuit stays open before one call probes."""
    slow: Annotated[float, duration("1ms", "1m")] = _BREAKER.slow
    """A call cut off by the caller's deadline counts as a failure if it took this long."""


class MorphSection(Section):
    """Engine `morph`, a remote router. It is asked only while `morph_router_enabled` is on."""

    url: Annotated[str, base_url()] = _MORPH.url
    """Base URL; `/v1/router/multimodel` is appended. Plain http to another machine is a warning."""
    timeout: Annotated[float, duration("1ms", "1m")] = _MORPH.timeout
    """The most a call may take; a caller's deadline may leave less."""
    connect_retries: Annotated[int, whole(0, 1)] = _MORPH.connect_retries
    """Further attempts when no connection could be made. Nothing else is tried again, but for a
    call on a kept connection that the server was closing: it is sent once more on another.
    """
    max_connections: Annotated[int, whole(1, 4_096)] = _MORPH.max_connections
    """Size of the connection pool. Connections are kept and used again; proxies of the environment
    are not used.
    """
    max_in_flight: Annotated[int, whole(1, 65_536)] = _MORPH.max_in_flight
    """Calls at once, those that wait for a connection included. One more is left to the next
    engine, with stage `circuit_open`.
    """
    key_env: Annotated[str, variable_name()] | None = _MORPH.key_env
    """The environment variable that holds the key. `null`: none."""
    key_file: Annotated[str, file_path()] | None = _MORPH.key_file
    """A file that holds the key; wins over `key_env`, read again when it changes."""
    breaker: BreakerSection = BreakerSection()
    """When it is given a rest."""

    def to_core(self) -> MorphRules:
        """Give the section as a core value."""
        breaker = self.breaker
        return MorphRules(
            url=self.url,
            timeout=self.timeout,
            connect_retries=self.connect_retries,
            max_connections=self.max_connections,
            max_in_flight=self.max_in_flight,
            key_env=self.key_env,
            key_file=self.key_file,
            breaker=BreakerRules(failures=breaker.failures, pause=breaker.pause, slow=breaker.slow),
        )


class LocalSection(Section):
    """Engine `local`, the embedded model: no network, no key."""

    quality_loss: dict[PolicyName, Share] = Field(default_factory=_QUALITY_LOSS.copy)
    """The predicted quality that a policy may give up for a lower price. A policy that is left
    out keeps its default.
    """
    needs_info_threshold: Share = 0.7
    """The probability from which a prompt counts as too ambiguous to size; the static pick is
    then served.
    """

    def to_core(self) -> LocalRules:
        """Give the section as a core value; policies that it leaves out keep their default."""
        loss = {str(p): loss for p, loss in (_QUALITY_LOSS | self.quality_loss).items()}
        return LocalRules(
            quality_loss=MappingProxyType(loss), needs_info_threshold=self.needs_info_threshold
        )


class EnginesSection(Section):
    """The engines: who decides, in which order, and how each is asked."""

    order: Annotated[ListOf[EngineName], Field(min_length=1), DISTINCT] = ("morph", "local")
    """Who is asked, in this order; the next one answers where one fails or may not be asked."""
    morph: MorphSection = MorphSection()
    """Engine `morph`."""
    local: LocalSection = LocalSection()
    """Engine `local`."""
