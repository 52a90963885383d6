"""The policy file as values: one version, immutable once loaded.

`policies.schema` checks the YAML and builds these; everything else reads them. Durations are in
seconds, rates and shares between 0 and 1 unless a name says percent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pointsman_server.core.engine_rules import DecisionModelRules, MorphRules
from pointsman_server.core.model import (
    CatalogModel,
    DataPolicy,
    Mode,
    Organizations,
    Source,
    Tier,
)
from pointsman_server.core.routes import NO_LLM, LlmRules

VIRTUAL_PREFIX = "kilo-auto/"
"""Public ids under this prefix are pseudo-models: they are never a candidate."""

UNLISTED = "unlisted"
"""Stands in telemetry for a name that the policy file does not know."""


class ReaderKind(StrEnum):
    """Which reader of the embedded engine sizes requests."""

    DEFAULT = "default"
    """The small one, in every installation."""
    SEMANTIC = "semantic"
    """The encoder of `pointsman[semantic]`, for every request."""
    AUTO = "auto"
    """The encoder, for requests that the default reader is unsure of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalRules:
    """Engine `local`: the predicted quality that each policy may give up for a lower price."""

    quality_loss: Mapping[str, float]
    """Policy name -> the largest loss of predicted quality, 0..1."""
    needs_info_threshold: float = 0.25
    """Calibrated probability from which a prompt counts as too ambiguous to size."""
    reader: ReaderKind = ReaderKind.DEFAULT
    artefact: str | None = None
    """Path of the default reader's artefact; `None`: the built-in one."""
    reader_deadline: float = 0.05
    """Seconds that a decision waits for the semantic reader."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheRules:
    """Settings of the cache."""

    url: str = "memory://"
    max_entries: int = 200_000
    ttl: float = 1_800.0
    fallback_ttl: float = 60.0
    """For decisions made while an engine before the answering one was failing."""
    timeout: float = 0.05
    """The time-out of a lookup or a write, which then counts as a miss."""
    recheck: float = 10.0
    """The age at which a copy of a shared decision is looked up again."""
    max_connections: int = 8
    username: str | None = None
    password_env: str | None = None
    password_file: str | None = None
    """Wins over `password_env`; read again when it changes."""
    ca_file: str | None = None
    """Certificate authorities that vouch for the server, besides the system's."""

    @property
    def shared(self) -> bool:
        """Whether other processes use the same cache."""
        return not self.url.startswith("memory:")


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagRules:
    """Runtime switches: where they are read, in order, and the policy file's own values."""

    sources: tuple[str, ...] = ("environment", "policy_file")
    values: Mapping[str, str]
    memory: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRules:
    """The decision log: where its lines go and which caller modes are named in it."""

    stdout: bool = True
    file: str | None = None
    file_max_bytes: int = 64 * 1024 * 1024
    file_backups: int = 5
    known_modes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFile:
    """One version of the policy file."""

    version: str
    """A hash of its content; `policy_version` on every answer."""
    rules_digest: bytes
    """A hash of the entries that affect decisions (catalog, tiers, engines), not of
    mode or logging; part of every fingerprint."""
    mode: Mode
    serve_percent: float
    tiers: Mapping[str, Tier]
    catalog: Mapping[str, CatalogModel]
    engines: tuple[str, ...]
    """Engine names in the order in which they are called."""
    morph: MorphRules
    local: LocalRules
    cache: CacheRules
    flags: FlagRules
    log: LogRules
    data_policy: DataPolicy = DataPolicy.THIRD_PARTY_ALLOWED
    organizations: Organizations = Organizations.EXCLUDED
    """The treatment of requests of organisations."""
    decision_models: Mapping[str, DecisionModelRules] = field(default_factory=dict)
    """Decision models by engine name."""
    classify_engine: str | None = None
    """The decision model that classifies; `None`: the embedded engine."""
    classify_budget: float = 0.05
    llm: LlmRules = NO_LLM
    """Purposes, profiles and routes."""
    providers: frozenset[str] = field(init=False)
    """Providers of the catalog's models."""

    def __post_init__(self) -> None:
        """Collect the providers."""
        providers = frozenset(model.provider for model in self.catalog.values())
        object.__setattr__(self, "providers", providers)

    def is_virtual(self, public_id: str) -> bool:
        """Whether an id names a tier or another pseudo-model rather than a model."""
        return public_id in self.tiers or public_id.startswith(VIRTUAL_PREFIX)

    def source_of(self, engine: str) -> Source:
        """The kind of the engine with this name."""
        return Source.DECISION_MODEL if engine in self.decision_models else Source(engine)

    def is_third_party(self, engine: str) -> bool:
        """Whether prompts that an engine gets have left for a third party."""
        model = self.decision_models.get(engine)
        return engine == Source.MORPH if model is None else model.third_party

    def listed(self, name: str | None) -> str | None:
        """`name` if the file knows it as a tier or model, `UNLISTED` if not.

        Keeps free text of callers out of telemetry, and its cardinality bounded.
        """
        if name is None or name in self.catalog or name in self.tiers:
            return name
        return UNLISTED

    def agree(self, model: str, static_pick: str | None) -> bool | None:
        """Whether a decision is the static pick, by router id: two public ids may name one model.

        `None` where there is no static pick.
        """
        if static_pick is None:
            return None
        picked, decided = self.catalog.get(static_pick), self.catalog.get(model)
        if picked is None or decided is None or picked.router_id is None:
            return model == static_pick
        return picked.router_id == decided.router_id

    @staticmethod
    def candidate_ids(given: tuple[str, ...], tier: Tier) -> tuple[str, ...]:
        """The candidates of a request: its own, else the tier's defaults."""
        return given or tier.default_candidates
