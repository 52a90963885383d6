"""Where decisions and switches are kept, as the policy file says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pointsman_server.bootstrap.ambient import Ambient
from pointsman_server.cache import AiocacheDecisionCache, BoundedMemoryCache
from pointsman_server.core.policy_file import CacheRules, FlagRules
from pointsman_server.core.ports import DecisionCache, SwitchSource
from pointsman_server.flags import (
    EnvironmentSource,
    FirstOf,
    PolicyFileSource,
    RememberedSwitches,
)
from pointsman_server.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class CachePart:
    """A cache and the rules that it was built by."""

    rules: CacheRules
    cache: DecisionCache
    size: Callable[[], int]
    """Entries kept in this process."""

    def serves(self, rules: CacheRules) -> bool:
        """Whether other rules need no other cache: lifetimes are the chain's matter."""
        return (rules.url, rules.max_entries) == (self.rules.url, self.rules.max_entries)


def build_cache(rules: CacheRules, *, ambient: Ambient, telemetry: Telemetry) -> CachePart:
    """A bounded cache in this process."""
    backend = BoundedMemoryCache(max_entries=rules.max_entries, now=ambient.clock.monotonic)
    return CachePart(
        rules, AiocacheDecisionCache(backend, meter=telemetry.metrics), lambda: len(backend)
    )


def build_switches(rules: FlagRules, *, ambient: Ambient) -> RememberedSwitches:
    """The switches, read from the sources in the order that the policy file gives."""
    known: dict[str, SwitchSource] = {
        "environment": EnvironmentSource(ambient.environment),
        "policy_file": PolicyFileSource(rules.values),
    }
    source = FirstOf([known[name] for name in rules.sources])
    return RememberedSwitches(source, clock=ambient.clock, memory=rules.memory)
