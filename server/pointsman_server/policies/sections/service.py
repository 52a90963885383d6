"""The sections about running the service: cache, flags, classification, decision log."""

from __future__ import annotations

from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field

from pointsman_server.core.model import Source
from pointsman_server.core.policy_file import CacheRules, FlagRules, LogRules
from pointsman_server.policies.sections.base import Section
from pointsman_server.policies.sections.cache_urls import cache_url
from pointsman_server.policies.sections.lists import DISTINCT, ListOf
from pointsman_server.policies.sections.scalars import (
    duration,
    engine_name,
    file_path,
    name,
    raw_text,
    variable_name,
    whole,
)

FlagSourceName = Literal["environment", "policy_file", "redis"]
ModeName = Annotated[str, name(64)]

_CACHE = CacheRules()
_LOG = LogRules()


class CacheSection(Section):
    """Settings of the cache."""

    url: Annotated[str, cache_url()] = _CACHE.url
    """The store of decisions: this process, or a Redis or Valkey server that replicas
    share: `redis://host:port/database`, with TLS `rediss://host:port/database`, by sentinels
    `redis+sentinel://host:port,host:port/name/database`. Plain to another machine is a warning.
    """
    max_entries: Annotated[int, whole(1, 100_000_000)] = _CACHE.max_entries
    """Maximum entries in this process, two per conversation; evicts the least recently used."""
    ttl: Annotated[float, duration("1ms", "7d")] = _CACHE.ttl
    """The lifetime of a decision."""
    fallback_ttl: Annotated[float, duration("1ms", "7d")] = _CACHE.fallback_ttl
    """The same for a decision that was made while an engine before the answering one was
    failing.
    """
    timeout: Annotated[float, duration("1ms", "5s")] = _CACHE.timeout
    """The time-out of a lookup or a write, which then counts as a miss."""
    recheck: Annotated[float, duration("0s", "10m")] = _CACHE.recheck
    """The age at which this process looks its copy of a shared decision up in the server again.
    `0s`: it always asks.
    """
    max_connections: Annotated[int, whole(2, 1_024)] = _CACHE.max_connections
    """The size of the connection pool."""
    username: Annotated[str, name()] | None = _CACHE.username
    """The user to log in as; without one, the server's default user."""
    password_env: Annotated[str, variable_name()] | None = _CACHE.password_env
    """The environment variable that holds the password."""
    password_file: Annotated[str, file_path()] | None = _CACHE.password_file
    """A file that holds the password; overrides `password_env`; reloaded when it changes."""
    ca_file: Annotated[str, file_path()] | None = _CACHE.ca_file
    """A PEM file of CAs for a `rediss://` server, in addition to the system's."""

    def to_core(self) -> CacheRules:
        """Give the section as a core value."""
        return CacheRules(**self.model_dump())


class FlagsSection(Section):
    """Feature flags: their sources, and values in this file."""

    sources: Annotated[ListOf[FlagSourceName], Field(min_length=1), DISTINCT] = (
        "environment",
        "policy_file",
    )
    """The sources of flags, in order. `redis`: under `pointsman:<flag>` in the server of
    `cache.url`.
    """
    memory: Annotated[float, duration("0s", "1h")] = 60.0
    """The lifetime of a value that was read."""
    morph_router_enabled: Annotated[str, raw_text()] | None = None
    """Engine `morph` is called only if this is `true` once trimmed; anything else is off."""
    decision_model_enabled: Annotated[str, raw_text()] | None = None
    """Decision models are called only if this is `true` once trimmed; anything else is off."""
    decision_log_sample_rate: Annotated[str, raw_text()] | None = None
    """The sample rate of successes and skips in the decision log, 0 to 1. Unset or unusable
    (a warning): 0.01. Errors and switches are always logged.
    """

    def to_core(self) -> FlagRules:
        """Give the section as a core value; switches that are unset are left out."""
        values = self.model_dump(exclude={"sources", "memory"}, exclude_none=True)
        return FlagRules(
            sources=self.sources,
            values=MappingProxyType(values),
            memory=self.memory,
        )


class ClassificationSection(Section):
    """Labels that a request may request in addition to its decision."""

    engine: Annotated[str, engine_name()] = Source.LOCAL.value
    """`local`, or a decision model of `engines.decision_models`, which costs one more call for
    each request with `classify`. A prompt that may not be sent to it is labelled by `local`.
    """
    budget: Annotated[float, duration("1ms", "5s")] = 0.05
    """The time-out of a classification; the decision never waits for it."""

    def remote_engine(self) -> str | None:
        """Name the decision model that classifies; `None`: the embedded engine."""
        return None if self.engine == Source.LOCAL else self.engine


class DecisionLogSection(Section):
    """The decision log: one JSON line for each sampled decision."""

    stdout: bool = _LOG.stdout
    """Whether lines go to standard output."""
    file: Annotated[str, file_path()] | None = _LOG.file
    """A file that lines are appended to, rotated by size."""
    file_max_bytes: Annotated[int, whole(4_096, 1 << 40)] = _LOG.file_max_bytes
    """The size in bytes at which the file is rotated."""
    file_backups: Annotated[int, whole(0, 1_000)] = _LOG.file_backups
    """The number of rotated files."""
    known_modes: Annotated[ListOf[ModeName], Field(max_length=256), DISTINCT] = ()
    """Caller modes that lines name; others appear as `unlisted`."""

    def to_core(self) -> LogRules:
        """Give the section as a core value."""
        return LogRules(**self.model_dump() | {"known_modes": frozenset(self.known_modes)})
