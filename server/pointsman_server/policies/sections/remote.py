"""Common keys of remote engines' sections."""

from __future__ import annotations

from typing import Annotated, Any

from pointsman_server.core.engine_rules import BreakerRules, MorphRules
from pointsman_server.policies.sections.base import Section
from pointsman_server.policies.sections.scalars import (
    duration,
    file_path,
    number,
    variable_name,
    whole,
)

_BREAKER = BreakerRules()
_MORPH = MorphRules()


class BreakerSection(Section):
    """When an engine's circuit opens."""

    failures: Annotated[int, whole(1, 1_000)] = _BREAKER.failures
    """Failures in a row that open the circuit: the engine is not called any more."""
    pause: Annotated[float, duration("100ms", "1h")] = _BREAKER.pause
    """The time that the circuit stays open before one call probes."""
    slow: Annotated[float, duration("1ms", "1m")] = _BREAKER.slow
    """A call cut off by the caller's deadline counts as a failure if it took this long."""

    def to_core(self) -> BreakerRules:
        """Give the section as a core value."""
        return BreakerRules(**self.model_dump())


class RemoteSection(Section):
    """A remote engine."""

    url: str
    timeout: Annotated[float, duration("1ms", "1m")] = _MORPH.timeout
    """The longest that a call may take; a caller's deadline may leave less."""
    connect_retries: Annotated[int, whole(0, 1)] = _MORPH.connect_retries
    """Further attempts when no connection could be made. No other failure is retried, except for
    a call on a reused connection that the server was closing: it is sent once more on another.
    """
    max_connections: Annotated[int, whole(1, 4_096)] = _MORPH.max_connections
    """Size of the connection pool. Connections are reused; proxies of the environment are ignored.
    """
    max_in_flight: Annotated[int, whole(1, 65_536)] = _MORPH.max_in_flight
    """Concurrent calls, including those that wait for a connection. One more is left to the next
    engine, with stage `circuit_open`.
    """
    key_env: Annotated[str, variable_name()] | None = None
    """The environment variable that holds the key. `null`: none."""
    key_file: Annotated[str, file_path()] | None = None
    """A file that holds the key; wins over `key_env`, read again when it changes."""
    price_per_call: Annotated[float, number(0, 1_000)] = 0.0
    """US dollars for one answer; `pointsman report` adds it to the cost of decisions."""
    breaker: BreakerSection = BreakerSection()
    """When its circuit opens."""

    def shared(self) -> dict[str, Any]:
        """Give the shared fields as those of `RemoteRules`."""
        names = (*RemoteSection.model_fields,)
        found = {name: getattr(self, name) for name in names if name != "breaker"}
        return found | {"breaker": self.breaker.to_core()}
