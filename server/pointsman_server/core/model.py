"""The values that a decision is made of: frozen, slotted, free of any library.

They cross every room. A value that reaches this module is already validated and bounded
(`transport.mapping` and `policies.schema` do that); nothing here checks again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

PROMPT_CODE_POINTS = 1_000
"""What is kept of each prompt prefix, in Unicode code points."""


class ApiKind(StrEnum):
    """Which API the gateway's own caller speaks; `UNSPECIFIED` when the gateway did not say."""

    UNSPECIFIED = "unspecified"
    CHAT_COMPLETIONS = "chat_completions"
    RESPONSES = "responses"
    MESSAGES = "messages"


class Modality(StrEnum):
    """An input that a model may or may not take besides text."""

    IMAGE = "image"
    FILE = "file"
    AUDIO = "audio"
    VIDEO = "video"


class DataPolicy(StrEnum):
    """Whether the prompt prefix may leave this process for a third party's engine."""

    UNSPECIFIED = "unspecified"
    THIRD_PARTY_ALLOWED = "third_party_allowed"
    THIRD_PARTY_DENIED = "third_party_denied"


class Mode(StrEnum):
    """What decisions are for: nothing, to be recorded only, or to be served."""

    OFF = "off"
    SHADOW = "shadow"
    SERVE = "serve"


class Stickiness(StrEnum):
    """How long one decision holds.

    `EXACT`: for the same content only. `CONVERSATION`: until it expires or its fingerprint
    changes.
    """

    EXACT = "exact"
    CONVERSATION = "conversation"


class Source(StrEnum):
    """The engine that made a decision."""

    MORPH = "morph"
    LOCAL = "local"


class Verdict(StrEnum):
    """How a request ended: the response's `outcome`."""

    ROUTED = "routed"
    SKIPPED = "skipped"
    FAILED = "failed"
    OFF = "off"


class Reason(StrEnum):
    """Why a request was not routed, or was routed without being served."""

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


class DropReason(StrEnum):
    """Why a candidate of the request is not among those that were decided between."""

    UNMAPPED = "unmapped"
    DUPLICATE = "duplicate"
    DENIED = "denied"
    EXPERIMENTAL = "experimental"
    VIRTUAL = "virtual"
    INPUT_UNSUPPORTED = "input_unsupported"
    CONTEXT_TOO_SMALL = "context_too_small"
    TOOLS_UNSUPPORTED = "tools_unsupported"
    OTHER_PROVIDER = "other_provider"


class ConversationSource(StrEnum):
    """What identified the conversation, the first that the caller sent."""

    SESSION = "session"
    MACHINE = "machine"
    CONTENT = "content"


class SwitchReason(StrEnum):
    """Why a conversation left the model that it was on."""

    UPGRADE = "upgrade"
    SAVING = "saving"
    INELIGIBLE = "ineligible"
    REDECIDED = "redecided"


# ---------------------------------------------------------------- what the gateway sends


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """Bounded prefixes of one conversation; each at most `PROMPT_CODE_POINTS` long."""

    first: str | None = None
    latest: str | None = None
    system: str | None = None
    api_kind: ApiKind = ApiKind.UNSPECIFIED
    message_count: int | None = None
    has_tools: bool = False
    stream: bool = False

    def chosen(self) -> str | None:
        """The text that engines see: the latest prompt unless blank, else the first; trimmed."""
        for text in (self.latest, self.first):
            if text is not None and (trimmed := text.strip()):
                return trimmed[:PROMPT_CODE_POINTS]
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks. Raw ids: they are hashed before they are stored or told to anybody."""

    user_id: str
    session_id: str | None = None
    machine_id: str | None = None
    client_request_id: str | None = None
    mode: str | None = None
    user_agent: str | None = None
    organization_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingContext:
    """What there is to decide: a tier, the models that it may use, the gateway's static pick."""

    auto_model: str
    candidate_models: tuple[str, ...] = ()
    resolved_model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraints:
    """What a model must be able to do to serve this request."""

    required_inputs: frozenset[Modality] = frozenset()
    prompt_tokens_estimate: int | None = None
    requires_tools: bool = False
    denied_models: frozenset[str] = frozenset()
    keep_provider: bool = False


NO_CONSTRAINTS = Constraints()


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteRequest:
    """One `RouteDecision` request, validated."""

    prompt: Prompt
    caller: Caller
    routing: RoutingContext | None = None
    data_policy: DataPolicy = DataPolicy.UNSPECIFIED
    constraints: Constraints = NO_CONSTRAINTS
    requested_model: str | None = None
    body_bytes: int = 0
    classify: bool = False
    dry_run: bool = False

    @property
    def static_pick(self) -> str | None:
        """The model of the gateway's own rules: the baseline and the safe answer."""
        return self.routing.resolved_model if self.routing else None


# ---------------------------------------------------------------- what the policy file knows


def provider_of(public_id: str) -> str:
    """The part of a public id before the first slash; all of it where there is none."""
    return public_id.partition("/")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogModel:
    """One public model id and what is known of it. `None` always means "not known".

    Prices are US dollars per million tokens; `context_window` is in tokens; `score`,
    `capability` and the values of `topic_scores` lie between 0 and 1.
    """

    public_id: str
    router_id: str | None = None
    input_price: float | None = None
    output_price: float | None = None
    context_window: int | None = None
    inputs: frozenset[Modality] | None = None
    tools: bool | None = None
    experimental: bool = False
    topic_scores: Mapping[str, float] = field(default_factory=dict)
    score: float | None = None
    capability: float | None = None
    size: str | None = None
    """A declared class, weakest knowledge of all: `small`, `medium`, `large` or `frontier`."""

    @property
    def provider(self) -> str:
        """Whose model it is."""
        return provider_of(self.public_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """A pseudo-model that users select, and how it is routed."""

    name: str
    policy: str
    stickiness: Stickiness
    default_candidates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchValues:
    """Runtime switches: what an operator turns without a restart."""

    morph_router_enabled: bool = False
    """Whether prompts may be sent to Morph."""


# ---------------------------------------------------------------- what engines see and say


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineQuery:
    """All that an engine is told. It holds no id of a person and no system prompt."""

    prompt: str
    """Non-blank, trimmed, at most `PROMPT_CODE_POINTS` code points."""
    candidates: tuple[CatalogModel, ...]
    """At least two, in the caller's order; each has a `router_id` and no two the same."""
    policy: str
    default: CatalogModel
    engines: tuple[str, ...] = ()
    """The engines in force for this request, in order: a flag that is off or a prompt that may
    not leave the process takes an engine out."""
    deadline: float | None = None
    """When the caller needs the answer, on the monotonic clock in seconds; `None`: no limit."""
    key: bytes | None = None
    """Identifies the decision in the cache; `None`: neither read nor written (a dry run)."""

    def by_router_id(self, router_id: str) -> CatalogModel | None:
        """The candidate of this request that the engine knows as `router_id`."""
        for candidate in self.candidates:
            if candidate.router_id == router_id:
                return candidate
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedModel:
    """One candidate as an engine saw it: predicted quality 0..1, expected US dollars a request."""

    model: str
    score: float | None = None
    estimated_cost: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFailure:
    """One engine that could not answer, and the stage of `contract.md` at which it failed."""

    engine: str
    stage: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineAnswer:
    """What an engine says. `model` is the public id of one of the query's candidates."""

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
    cached: bool = False
    failures: tuple[EngineFailure, ...] = ()
    """The engines that were asked before the one that answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """One classification: a label, how sure, and whether that is sure enough to act on."""

    label: str
    confidence: float
    meets_threshold: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """What a prompt looks like, whatever model it goes to."""

    difficulty: Head | None = None
    ambiguity: Head | None = None
    domain: Head | None = None


# ---------------------------------------------------------------- what the gateway gets


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A candidate of the request that was not decided between."""

    model: str
    reason: DropReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A model, where it came from and why."""

    answer: EngineAnswer
    policy: str
    sticky: bool
    switch_reason: SwitchReason | None
    fallback_models: tuple[str, ...]
    propensity: float
    conversation_source: ConversationSource
    candidate_count: int
    dropped: tuple[Dropped, ...]

    @property
    def model(self) -> str:
        """The public id of the model that was decided for."""
        return self.answer.model


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one request ended; what the response is encoded from."""

    verdict: Verdict
    serve_model: str
    decision_id: str
    policy_version: str
    decision: Decision | None = None
    shadow: bool = False
    reason: Reason | None = None
    failures: tuple[EngineFailure, ...] = ()
    classification: Classification | None = None
    dropped: tuple[Dropped, ...] = ()
    """Of a request that was skipped for want of candidates."""
    engine_seconds: float = 0.0
    """How long engines were waited for; 0 when none was asked."""
