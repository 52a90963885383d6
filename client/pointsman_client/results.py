"""Answers of the service: frozen values in the terms of the contract.

An enum value that this client does not know, from a newer service, reads as `UNRECOGNISED`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pointsman_client.errors import Fallback, RoutingError


class Outcome(StrEnum):
    """The outcome of a request."""

    ROUTED = "routed"
    SKIPPED = "skipped"
    FAILED = "failed"
    OFF = "off"
    UNRECOGNISED = "unrecognised"


class Reason(StrEnum):
    """The reason why a request was not routed, or why its decision is not served."""

    NO_ROUTING_CONTEXT = "no_routing_context"
    FLAG_OFF = "flag_off"
    MODE_OFF = "mode_off"
    UNKNOWN_TIER = "unknown_tier"
    NO_PROMPT = "no_prompt"
    INSUFFICIENT_CANDIDATES = "insufficient_candidates"
    ENGINES_FAILED = "engines_failed"
    THIRD_PARTY_DENIED = "third_party_denied"
    AMBIGUOUS = "ambiguous"
    CONCRETE_MODEL_REQUESTED = "concrete_model_requested"
    NO_TASK = "no_task"
    PROVIDER_FENCE = "provider_fence"
    ORGANIZATION_EXCLUDED = "organization_excluded"
    UNRECOGNISED = "unrecognised"


class Source(StrEnum):
    """The engine that made a decision."""

    MORPH = "morph"
    LOCAL = "local"
    DECISION_MODEL = "decision_model"
    UNRECOGNISED = "unrecognised"


class ConversationSource(StrEnum):
    """The identity of the conversation."""

    SESSION = "session"
    MACHINE = "machine"
    CONTENT = "content"
    UNRECOGNISED = "unrecognised"


class SwitchReason(StrEnum):
    """The reason why a conversation left its model."""

    UPGRADE = "upgrade"
    SAVING = "saving"
    INELIGIBLE = "ineligible"
    REDECIDED = "redecided"
    RESET = "reset"
    UNRECOGNISED = "unrecognised"


class DropReason(StrEnum):
    """The reason why a candidate was dropped."""

    UNMAPPED = "unmapped"
    DUPLICATE = "duplicate"
    DENIED = "denied"
    EXPERIMENTAL = "experimental"
    VIRTUAL = "virtual"
    INPUT_UNSUPPORTED = "input_unsupported"
    CONTEXT_TOO_SMALL = "context_too_small"
    TOOLS_UNSUPPORTED = "tools_unsupported"
    OTHER_PROVIDER = "other_provider"
    UNRECOGNISED = "unrecognised"


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedCandidate:
    """One candidate as the engine saw it: quality 0..1, US dollars a request; `None`: unknown."""

    model: str
    score: float | None = None
    estimated_cost: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DroppedCandidate:
    """One candidate that was not decided between."""

    model: str
    reason: DropReason


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFailure:
    """One engine that could not answer, and the stage at which it failed, e.g. `http_503`."""

    engine: str
    stage: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassificationHead:
    """One label, how sure (0..1), and whether that is sure enough to act on."""

    label: str
    confidence: float
    meets_threshold: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """Labels of a prompt, independent of models."""

    difficulty: ClassificationHead | None = None
    ambiguity: ClassificationHead | None = None
    domain: ClassificationHead | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A model, where it came from and why. `None`: the engine did not say."""

    source: Source
    model: str
    router_model: str
    policy: str
    difficulty: str | None = None
    confidence: float | None = None
    ambiguity: str | None = None
    ambiguity_confidence: float | None = None
    domain: str | None = None
    domain_confidence: float | None = None
    cached: bool = False
    sticky: bool = False
    switch_reason: SwitchReason | None = None
    fallback_models: tuple[str, ...] = ()
    ranking: tuple[RankedCandidate, ...] = ()
    propensity: float | None = None
    conversation_source: ConversationSource | None = None
    candidate_count: int = 0
    dropped: tuple[DroppedCandidate, ...] = ()
    explanation: str | None = None
    reasoning_effort: str | None = None
    """The level of reasoning effort to ask of the model; `None`: the catalog lists none."""
    effort: float | None = None
    """Expected effort of the prompt, 1 (trivial) to 5."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteResult:
    """The service's answer to one request."""

    outcome: Outcome
    serve_model: str
    """The model to serve now; empty only if the request had no static pick and there is none."""
    decision: Decision | None = None
    """Set if and only if the outcome is `ROUTED`."""
    shadow: bool = False
    """The decision was recorded and is not to be served: `serve_model` is the static pick."""
    reason: Reason | None = None
    failures: tuple[EngineFailure, ...] = ()
    classification: Classification | None = None
    decision_id: str = ""
    policy_version: str = ""
    dropped: tuple[DroppedCandidate, ...] = ()
    """The candidates that were dropped where too few are left; else see `decision.dropped`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The result of `decide`: the model to serve, with the reason.

    Exactly one of `result` (the service answered) and `error` (it did not) is set.
    """

    model: str
    """Empty only if the request had no static pick and the service named no model."""
    result: RouteResult | None = None
    error: RoutingError | None = None

    @property
    def fallback(self) -> Fallback | None:
        """The reason for the static pick without an answer; `None` if the service answered."""
        return None if self.error is None else self.error.fallback

    @property
    def why(self) -> str:
        """One word for a log or a counter: `routed`, `shadow`, `skipped:no_prompt`, `fallback:…`.

        The set of its values is small and holds nothing of the request.
        """
        if self.result is None:
            return f"fallback:{self.fallback}"
        if self.result.shadow:
            return "shadow"
        reason = self.result.reason
        return f"{self.result.outcome}:{reason}" if reason else f"{self.result.outcome}"
