"""Caches of decisions and sources of flags, from the policy file."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pointsman_server.bootstrap.secrets import RecordingKeySource
from pointsman_server.bootstrap.system import SystemResources
from pointsman_server.cache import AiocacheDecisionCache, BoundedMemoryCache
from pointsman_server.core.errors import PolicyInvalid, Problem
from pointsman_server.core.policy_file import CacheRules, FlagRules
from pointsman_server.core.ports import DecisionCache, SwitchSource
from pointsman_server.engines.remote.keys import key_source
from pointsman_server.flags import (
    EnvironmentSource,
    FirstOf,
    PolicyFileSource,
    RedisSource,
    RememberedSwitches,
)
from pointsman_server.lib.watched_file import (
    LIST_BYTES,
    FileUnreadable,
    FileUnsuitable,
    read_file,
)
from pointsman_server.telemetry import Telemetry

NEEDS_HASH_KEY = (
    "is shared by processes, which find each other's decisions only with one hash key:"
    " set POINTSMAN_HASH_KEY or POINTSMAN_HASH_KEY_FILE to the same secret for all of them"
)
NEEDS_REDIS = "needs the package `redis`: in a clone of Pointsman, pip install '.[server,redis]'"


@dataclass(frozen=True, slots=True, kw_only=True)
class CachePart:
    """Caches over one place, and the rules that they were built by."""

    rules: CacheRules
    cache: DecisionCache
    """For decisions, which never change."""
    slots: DecisionCache
    """For the current model of a conversation, which changes."""
    peek: Callable[[bytes], bytes | None]
    """Looks a key of `cache` up without waiting."""
    writes: Callable[[], int] | None
    """Writes to it so far; `None`: other processes write to it, too."""
    size: Callable[[], int]
    """Entries in this process."""
    text: Callable[[str], Awaitable[str | None]] | None = None
    """Reads a switch from the shared store, if there is one. Raises where it fails."""

    def serves(self, rules: CacheRules) -> bool:
        """Whether other rules need no other cache: lifetimes are the chain's matter."""
        return _place(rules) == _place(self.rules)

    async def aclose(self) -> None:
        """Close connections."""
        await self.cache.aclose()


async def build_cache(
    rules: CacheRules, *, ambient: SystemResources, telemetry: Telemetry, seal_key: bytes | None
) -> CachePart:
    """A bounded cache in this process, in front of the shared one where there is one.

    `seal_key` is the secret of all replicas; `None`: they have none in common. Raises
    `PolicyInvalid`; a shared cache that does not answer is not a reason.
    """
    near = BoundedMemoryCache(max_entries=rules.max_entries, now=ambient.clock.monotonic)
    if rules.shared:
        if seal_key is None:
            raise PolicyInvalid([Problem("cache.url", NEEDS_HASH_KEY)])
        return await _build_shared(
            rules, near=near, ambient=ambient, telemetry=telemetry, seal_key=seal_key
        )
    cache = AiocacheDecisionCache(near, meter=telemetry.metrics)
    return CachePart(
        rules=rules,
        cache=cache,
        slots=cache,
        peek=near.peek,
        writes=lambda: near.writes,
        size=lambda: len(near),
    )


async def _build_shared(
    rules: CacheRules,
    *,
    near: BoundedMemoryCache,
    ambient: SystemResources,
    telemetry: Telemetry,
    seal_key: bytes,
) -> CachePart:
    try:
        # Imported here, because a cache in memory does not need these modules' library.
        from pointsman_server.cache.local_copies import LocalCopies  # noqa: PLC0415
        from pointsman_server.cache.redis.client import (  # noqa: PLC0415
            Login,
            build_backend,
            parse_address,
        )
        from pointsman_server.cache.redis.sealed_entry import EntrySigner  # noqa: PLC0415
        from pointsman_server.cache.redis.store import SharedStore  # noqa: PLC0415
        from pointsman_server.cache.tiered import TieredCache  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("redis"):
            raise
        raise PolicyInvalid([Problem("cache.url", NEEDS_REDIS)]) from None
    if rules.ca_file is not None:
        _check_file(rules.ca_file)
    backend = build_backend(
        parse_address(rules.url),
        connections=rules.max_connections,
        login=Login(username=rules.username, secret=_secret(rules, ambient)),
        ca_file=rules.ca_file,
    )
    store = SharedStore(
        backend,
        seals=EntrySigner(seal_key),
        budget=rules.timeout,
        connections=rules.max_connections,
        meter=telemetry.metrics,
    )

    copies = LocalCopies(near, clock=ambient.clock)

    def levelled(recheck: float) -> TieredCache:
        return TieredCache(
            copies, store, recheck=recheck, clock=ambient.clock, meter=telemetry.metrics
        )

    await store.open()
    decisions = levelled(rules.recheck)
    return CachePart(
        rules=rules,
        cache=decisions,
        slots=levelled(0.0),
        peek=decisions.peek,
        writes=None,
        size=lambda: len(near),
        text=store.text,
    )


def _check_file(path: str) -> None:
    """Refuse a file of authorities that TLS would read for ever; one may be missing for now."""
    try:
        read_file(path, most=LIST_BYTES)
    except FileUnsuitable as error:
        raise PolicyInvalid([Problem("cache.ca_file", f"{path}: {error}")]) from None
    except FileUnreadable:
        return


def build_switches(
    rules: FlagRules, *, ambient: SystemResources, cache: CachePart
) -> RememberedSwitches:
    """The switches, read from the sources in the order that the policy file gives."""
    known: dict[str, SwitchSource] = {
        "environment": EnvironmentSource(ambient.environment),
        "policy_file": PolicyFileSource(rules.values),
    }
    if cache.text is not None:
        known["redis"] = RedisSource(cache.text)
    source = FirstOf([known[name] for name in rules.sources])
    return RememberedSwitches(source, clock=ambient.clock, memory=rules.memory)


def _place(rules: CacheRules) -> tuple[object, ...]:
    """The inputs of a cache."""
    if not rules.shared:
        return rules.url, rules.max_entries
    login = rules.username, rules.password_env, rules.password_file, rules.ca_file
    bounds = rules.max_entries, rules.timeout, rules.recheck, rules.max_connections
    return rules.url, *login, *bounds


def _secret(rules: CacheRules, ambient: SystemResources) -> Callable[[], str] | None:
    if rules.password_file is None and rules.password_env is None:
        return None
    source = key_source(
        file=rules.password_file, variable=rules.password_env, environment=ambient.environment
    )
    return RecordingKeySource(source, ambient.secrets).read
