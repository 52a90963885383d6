"""Queries and answers of engines."""

from __future__ import annotations

from pointsman_server.core.model._catalog import CatalogModel
from pointsman_server.core.model._words import Retention, Source
from pointsman_server.core.value import value


@value(kw_only=True)
class EngineQuery:
    """The complete input of an engine, without ids of persons and without system prompt."""

    prompt: str
    """Non-blank, trimmed, at most `PROMPT_CODE_POINTS` code points."""
    candidates: tuple[CatalogModel, ...]
    """In the caller's order; each has a `router_id` and no two the same. At least two, or the one
    that a provider fence leaves."""
    policy: str
    default: CatalogModel
    engines: tuple[str, ...] = ()
    """The engines in force for this request, in order: a flag that is off or a prompt that may
    not leave the process takes an engine out."""
    deadline: float | None = None
    """When engines of others are cut off, on the monotonic clock in seconds; `None`: no limit.
    `core.deadlines` says how much earlier that is than the caller's deadline."""
    key: bytes | None = None
    """Identifies the decision in the cache; `None`: neither read nor written (a dry run)."""
    retention: Retention = Retention.FULL
    """The lifetime of the answer in the cache."""
    estimate: object | None = None
    """An estimate of the prompt that its reader has made already; engines of other readers pass
    over it."""

    def by_router_id(self, router_id: str) -> CatalogModel | None:
        """The candidate of this request that the engine knows as `router_id`."""
        for candidate in self.candidates:
            if candidate.router_id == router_id:
                return candidate
        return None


@value(kw_only=True)
class RankedModel:
    """One candidate as an engine saw it: predicted quality 0..1, expected US dollars a request."""

    model: str
    score: float | None = None
    estimated_cost: float | None = None


@value(kw_only=True)
class EngineFailure:
    """One engine that could not answer, and the stage at which it failed (docs/engines.md)."""

    engine: str
    stage: str


@value(kw_only=True)
class EngineAnswer:
    """An engine's answer. `model` is the public id of one of the query's candidates."""

    source: Source
    model: str
    router_model: str
    difficulty: str | None = None
    confidence: float | None = None
    ambiguity: str | None = None
    ambiguity_confidence: float | None = None
    domain: str | None = None
    domain_confidence: float | None = None
    ranking: tuple[RankedModel, ...] = ()
    """Best first; public ids; empty where the engine does not score candidates."""
    explanation: str | None = None
    """One line for people, without a word of the prompt."""
    effort: float | None = None
    """Expected effort of the prompt, 1 to 5."""
    difficulties: tuple[float, float, float] | None = None
    """Probability of easy, medium and hard; `None` where the engine gives none. Not cached."""
    reasoning_effort: str | None = None
    """The level to ask of the model, of those that the catalog lists for it."""
    cached: bool = False
    failures: tuple[EngineFailure, ...] = ()
    """The engines that failed before the one that answered."""
    stand_in: bool = False
    """Whether it answers in place of an engine that failed; cached with the answer."""
    unasked: bool = False
    """Whether no engine was called, because no answer could have moved the conversation; cached
    with it."""
    pick: str | None = None
    """The engine's own pick, where the conversation stayed on another model; cached with it."""


@value(kw_only=True)
class Head:
    """One classification: a label, how sure, and whether that is sure enough to act on."""

    label: str
    confidence: float
    meets_threshold: bool


@value(kw_only=True)
class Classification:
    """Labels of a prompt, independent of models."""

    difficulty: Head | None = None
    ambiguity: Head | None = None
    domain: Head | None = None
