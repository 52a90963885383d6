from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ApiKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    API_KIND_UNSPECIFIED: _ClassVar[ApiKind]
    API_KIND_CHAT_COMPLETIONS: _ClassVar[ApiKind]
    API_KIND_RESPONSES: _ClassVar[ApiKind]
    API_KIND_MESSAGES: _ClassVar[ApiKind]

class DataPolicy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DATA_POLICY_UNSPECIFIED: _ClassVar[DataPolicy]
    DATA_POLICY_THIRD_PARTY_ALLOWED: _ClassVar[DataPolicy]
    DATA_POLICY_THIRD_PARTY_DENIED: _ClassVar[DataPolicy]

class Modality(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MODALITY_UNSPECIFIED: _ClassVar[Modality]
    MODALITY_IMAGE: _ClassVar[Modality]
    MODALITY_FILE: _ClassVar[Modality]
    MODALITY_AUDIO: _ClassVar[Modality]
    MODALITY_VIDEO: _ClassVar[Modality]

class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTCOME_UNSPECIFIED: _ClassVar[Outcome]
    OUTCOME_ROUTED: _ClassVar[Outcome]
    OUTCOME_SKIPPED: _ClassVar[Outcome]
    OUTCOME_FAILED: _ClassVar[Outcome]
    OUTCOME_OFF: _ClassVar[Outcome]

class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REASON_UNSPECIFIED: _ClassVar[Reason]
    REASON_NO_ROUTING_CONTEXT: _ClassVar[Reason]
    REASON_FLAG_OFF: _ClassVar[Reason]
    REASON_MODE_OFF: _ClassVar[Reason]
    REASON_UNKNOWN_TIER: _ClassVar[Reason]
    REASON_NO_PROMPT: _ClassVar[Reason]
    REASON_INSUFFICIENT_CANDIDATES: _ClassVar[Reason]
    REASON_ENGINES_FAILED: _ClassVar[Reason]
    REASON_THIRD_PARTY_DENIED: _ClassVar[Reason]
    REASON_AMBIGUOUS: _ClassVar[Reason]
    REASON_CONCRETE_MODEL_REQUESTED: _ClassVar[Reason]
    REASON_NO_TASK: _ClassVar[Reason]
    REASON_PROVIDER_FENCE: _ClassVar[Reason]
    REASON_ORGANIZATION_EXCLUDED: _ClassVar[Reason]

class Source(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SOURCE_UNSPECIFIED: _ClassVar[Source]
    SOURCE_MORPH: _ClassVar[Source]
    SOURCE_LOCAL: _ClassVar[Source]
    SOURCE_DECISION_MODEL: _ClassVar[Source]

class ConversationSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONVERSATION_SOURCE_UNSPECIFIED: _ClassVar[ConversationSource]
    CONVERSATION_SOURCE_SESSION: _ClassVar[ConversationSource]
    CONVERSATION_SOURCE_MACHINE: _ClassVar[ConversationSource]
    CONVERSATION_SOURCE_CONTENT: _ClassVar[ConversationSource]

class SwitchReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SWITCH_REASON_UNSPECIFIED: _ClassVar[SwitchReason]
    SWITCH_REASON_UPGRADE: _ClassVar[SwitchReason]
    SWITCH_REASON_SAVING: _ClassVar[SwitchReason]
    SWITCH_REASON_INELIGIBLE: _ClassVar[SwitchReason]
    SWITCH_REASON_REDECIDED: _ClassVar[SwitchReason]
    SWITCH_REASON_RESET: _ClassVar[SwitchReason]

class DropReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DROP_REASON_UNSPECIFIED: _ClassVar[DropReason]
    DROP_REASON_UNMAPPED: _ClassVar[DropReason]
    DROP_REASON_DUPLICATE: _ClassVar[DropReason]
    DROP_REASON_DENIED: _ClassVar[DropReason]
    DROP_REASON_EXPERIMENTAL: _ClassVar[DropReason]
    DROP_REASON_VIRTUAL: _ClassVar[DropReason]
    DROP_REASON_INPUT_UNSUPPORTED: _ClassVar[DropReason]
    DROP_REASON_CONTEXT_TOO_SMALL: _ClassVar[DropReason]
    DROP_REASON_TOOLS_UNSUPPORTED: _ClassVar[DropReason]
    DROP_REASON_OTHER_PROVIDER: _ClassVar[DropReason]
API_KIND_UNSPECIFIED: ApiKind
API_KIND_CHAT_COMPLETIONS: ApiKind
API_KIND_RESPONSES: ApiKind
API_KIND_MESSAGES: ApiKind
DATA_POLICY_UNSPECIFIED: DataPolicy
DATA_POLICY_THIRD_PARTY_ALLOWED: DataPolicy
DATA_POLICY_THIRD_PARTY_DENIED: DataPolicy
MODALITY_UNSPECIFIED: Modality
MODALITY_IMAGE: Modality
MODALITY_FILE: Modality
MODALITY_AUDIO: Modality
MODALITY_VIDEO: Modality
OUTCOME_UNSPECIFIED: Outcome
OUTCOME_ROUTED: Outcome
OUTCOME_SKIPPED: Outcome
OUTCOME_FAILED: Outcome
OUTCOME_OFF: Outcome
REASON_UNSPECIFIED: Reason
REASON_NO_ROUTING_CONTEXT: Reason
REASON_FLAG_OFF: Reason
REASON_MODE_OFF: Reason
REASON_UNKNOWN_TIER: Reason
REASON_NO_PROMPT: Reason
REASON_INSUFFICIENT_CANDIDATES: Reason
REASON_ENGINES_FAILED: Reason
REASON_THIRD_PARTY_DENIED: Reason
REASON_AMBIGUOUS: Reason
REASON_CONCRETE_MODEL_REQUESTED: Reason
REASON_NO_TASK: Reason
REASON_PROVIDER_FENCE: Reason
REASON_ORGANIZATION_EXCLUDED: Reason
SOURCE_UNSPECIFIED: Source
SOURCE_MORPH: Source
SOURCE_LOCAL: Source
SOURCE_DECISION_MODEL: Source
CONVERSATION_SOURCE_UNSPECIFIED: ConversationSource
CONVERSATION_SOURCE_SESSION: ConversationSource
CONVERSATION_SOURCE_MACHINE: ConversationSource
CONVERSATION_SOURCE_CONTENT: ConversationSource
SWITCH_REASON_UNSPECIFIED: SwitchReason
SWITCH_REASON_UPGRADE: SwitchReason
SWITCH_REASON_SAVING: SwitchReason
SWITCH_REASON_INELIGIBLE: SwitchReason
SWITCH_REASON_REDECIDED: SwitchReason
SWITCH_REASON_RESET: SwitchReason
DROP_REASON_UNSPECIFIED: DropReason
DROP_REASON_UNMAPPED: DropReason
DROP_REASON_DUPLICATE: DropReason
DROP_REASON_DENIED: DropReason
DROP_REASON_EXPERIMENTAL: DropReason
DROP_REASON_VIRTUAL: DropReason
DROP_REASON_INPUT_UNSUPPORTED: DropReason
DROP_REASON_CONTEXT_TOO_SMALL: DropReason
DROP_REASON_TOOLS_UNSUPPORTED: DropReason
DROP_REASON_OTHER_PROVIDER: DropReason

class RouteDecisionRequest(_message.Message):
    __slots__ = ("prompt", "caller", "routing", "data_policy", "constraints", "requested_model", "body_bytes", "classify", "dry_run")
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    ROUTING_FIELD_NUMBER: _ClassVar[int]
    DATA_POLICY_FIELD_NUMBER: _ClassVar[int]
    CONSTRAINTS_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_MODEL_FIELD_NUMBER: _ClassVar[int]
    BODY_BYTES_FIELD_NUMBER: _ClassVar[int]
    CLASSIFY_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    prompt: Prompt
    caller: Caller
    routing: RoutingContext
    data_policy: DataPolicy
    constraints: Constraints
    requested_model: str
    body_bytes: int
    classify: bool
    dry_run: bool
    def __init__(self, prompt: _Optional[_Union[Prompt, _Mapping]] = ..., caller: _Optional[_Union[Caller, _Mapping]] = ..., routing: _Optional[_Union[RoutingContext, _Mapping]] = ..., data_policy: _Optional[_Union[DataPolicy, str]] = ..., constraints: _Optional[_Union[Constraints, _Mapping]] = ..., requested_model: _Optional[str] = ..., body_bytes: _Optional[int] = ..., classify: bool = ..., dry_run: bool = ...) -> None: ...

class Prompt(_message.Message):
    __slots__ = ("user_prompt_prefix", "latest_user_prompt_prefix", "system_prompt_prefix", "api_kind", "message_count", "has_tools", "stream", "max_output_tokens", "context_reset")
    USER_PROMPT_PREFIX_FIELD_NUMBER: _ClassVar[int]
    LATEST_USER_PROMPT_PREFIX_FIELD_NUMBER: _ClassVar[int]
    SYSTEM_PROMPT_PREFIX_FIELD_NUMBER: _ClassVar[int]
    API_KIND_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_COUNT_FIELD_NUMBER: _ClassVar[int]
    HAS_TOOLS_FIELD_NUMBER: _ClassVar[int]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    MAX_OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_RESET_FIELD_NUMBER: _ClassVar[int]
    user_prompt_prefix: str
    latest_user_prompt_prefix: str
    system_prompt_prefix: str
    api_kind: ApiKind
    message_count: int
    has_tools: bool
    stream: bool
    max_output_tokens: int
    context_reset: bool
    def __init__(self, user_prompt_prefix: _Optional[str] = ..., latest_user_prompt_prefix: _Optional[str] = ..., system_prompt_prefix: _Optional[str] = ..., api_kind: _Optional[_Union[ApiKind, str]] = ..., message_count: _Optional[int] = ..., has_tools: bool = ..., stream: bool = ..., max_output_tokens: _Optional[int] = ..., context_reset: bool = ...) -> None: ...

class Caller(_message.Message):
    __slots__ = ("user_id", "session_id", "machine_id", "client_request_id", "mode", "user_agent", "organization_id", "agent_id")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    MACHINE_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    USER_AGENT_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_ID_FIELD_NUMBER: _ClassVar[int]
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    session_id: str
    machine_id: str
    client_request_id: str
    mode: str
    user_agent: str
    organization_id: str
    agent_id: str
    def __init__(self, user_id: _Optional[str] = ..., session_id: _Optional[str] = ..., machine_id: _Optional[str] = ..., client_request_id: _Optional[str] = ..., mode: _Optional[str] = ..., user_agent: _Optional[str] = ..., organization_id: _Optional[str] = ..., agent_id: _Optional[str] = ...) -> None: ...

class RoutingContext(_message.Message):
    __slots__ = ("auto_model", "candidate_models", "resolved_model", "incumbent_model")
    AUTO_MODEL_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_MODELS_FIELD_NUMBER: _ClassVar[int]
    RESOLVED_MODEL_FIELD_NUMBER: _ClassVar[int]
    INCUMBENT_MODEL_FIELD_NUMBER: _ClassVar[int]
    auto_model: str
    candidate_models: _containers.RepeatedScalarFieldContainer[str]
    resolved_model: str
    incumbent_model: str
    def __init__(self, auto_model: _Optional[str] = ..., candidate_models: _Optional[_Iterable[str]] = ..., resolved_model: _Optional[str] = ..., incumbent_model: _Optional[str] = ...) -> None: ...

class Constraints(_message.Message):
    __slots__ = ("required_inputs", "prompt_tokens_estimate", "requires_tools", "denied_models", "keep_provider")
    REQUIRED_INPUTS_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TOKENS_ESTIMATE_FIELD_NUMBER: _ClassVar[int]
    REQUIRES_TOOLS_FIELD_NUMBER: _ClassVar[int]
    DENIED_MODELS_FIELD_NUMBER: _ClassVar[int]
    KEEP_PROVIDER_FIELD_NUMBER: _ClassVar[int]
    required_inputs: _containers.RepeatedScalarFieldContainer[Modality]
    prompt_tokens_estimate: int
    requires_tools: bool
    denied_models: _containers.RepeatedScalarFieldContainer[str]
    keep_provider: bool
    def __init__(self, required_inputs: _Optional[_Iterable[_Union[Modality, str]]] = ..., prompt_tokens_estimate: _Optional[int] = ..., requires_tools: bool = ..., denied_models: _Optional[_Iterable[str]] = ..., keep_provider: bool = ...) -> None: ...

class RouteDecisionResponse(_message.Message):
    __slots__ = ("outcome", "decision", "serve_model", "shadow", "reason", "failures", "classification", "decision_id", "policy_version", "dropped")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    SERVE_MODEL_FIELD_NUMBER: _ClassVar[int]
    SHADOW_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    CLASSIFICATION_FIELD_NUMBER: _ClassVar[int]
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    outcome: Outcome
    decision: Decision
    serve_model: str
    shadow: bool
    reason: Reason
    failures: _containers.RepeatedCompositeFieldContainer[EngineFailure]
    classification: Classification
    decision_id: str
    policy_version: str
    dropped: _containers.RepeatedCompositeFieldContainer[DroppedCandidate]
    def __init__(self, outcome: _Optional[_Union[Outcome, str]] = ..., decision: _Optional[_Union[Decision, _Mapping]] = ..., serve_model: _Optional[str] = ..., shadow: bool = ..., reason: _Optional[_Union[Reason, str]] = ..., failures: _Optional[_Iterable[_Union[EngineFailure, _Mapping]]] = ..., classification: _Optional[_Union[Classification, _Mapping]] = ..., decision_id: _Optional[str] = ..., policy_version: _Optional[str] = ..., dropped: _Optional[_Iterable[_Union[DroppedCandidate, _Mapping]]] = ...) -> None: ...

class Decision(_message.Message):
    __slots__ = ("source", "model", "router_model", "policy", "difficulty", "confidence", "ambiguity", "ambiguity_confidence", "domain", "domain_confidence", "cached", "sticky", "switch_reason", "fallback_models", "ranking", "propensity", "conversation_source", "candidate_count", "dropped", "explanation", "reasoning_effort", "effort")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ROUTER_MODEL_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    DIFFICULTY_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    AMBIGUITY_FIELD_NUMBER: _ClassVar[int]
    AMBIGUITY_CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    CACHED_FIELD_NUMBER: _ClassVar[int]
    STICKY_FIELD_NUMBER: _ClassVar[int]
    SWITCH_REASON_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_MODELS_FIELD_NUMBER: _ClassVar[int]
    RANKING_FIELD_NUMBER: _ClassVar[int]
    PROPENSITY_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_SOURCE_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_COUNT_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    REASONING_EFFORT_FIELD_NUMBER: _ClassVar[int]
    EFFORT_FIELD_NUMBER: _ClassVar[int]
    source: Source
    model: str
    router_model: str
    policy: str
    difficulty: str
    confidence: float
    ambiguity: str
    ambiguity_confidence: float
    domain: str
    domain_confidence: float
    cached: bool
    sticky: bool
    switch_reason: SwitchReason
    fallback_models: _containers.RepeatedScalarFieldContainer[str]
    ranking: _containers.RepeatedCompositeFieldContainer[RankedCandidate]
    propensity: float
    conversation_source: ConversationSource
    candidate_count: int
    dropped: _containers.RepeatedCompositeFieldContainer[DroppedCandidate]
    explanation: str
    reasoning_effort: str
    effort: float
    def __init__(self, source: _Optional[_Union[Source, str]] = ..., model: _Optional[str] = ..., router_model: _Optional[str] = ..., policy: _Optional[str] = ..., difficulty: _Optional[str] = ..., confidence: _Optional[float] = ..., ambiguity: _Optional[str] = ..., ambiguity_confidence: _Optional[float] = ..., domain: _Optional[str] = ..., domain_confidence: _Optional[float] = ..., cached: bool = ..., sticky: bool = ..., switch_reason: _Optional[_Union[SwitchReason, str]] = ..., fallback_models: _Optional[_Iterable[str]] = ..., ranking: _Optional[_Iterable[_Union[RankedCandidate, _Mapping]]] = ..., propensity: _Optional[float] = ..., conversation_source: _Optional[_Union[ConversationSource, str]] = ..., candidate_count: _Optional[int] = ..., dropped: _Optional[_Iterable[_Union[DroppedCandidate, _Mapping]]] = ..., explanation: _Optional[str] = ..., reasoning_effort: _Optional[str] = ..., effort: _Optional[float] = ...) -> None: ...

class RankedCandidate(_message.Message):
    __slots__ = ("model", "score", "estimated_cost")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    ESTIMATED_COST_FIELD_NUMBER: _ClassVar[int]
    model: str
    score: float
    estimated_cost: float
    def __init__(self, model: _Optional[str] = ..., score: _Optional[float] = ..., estimated_cost: _Optional[float] = ...) -> None: ...

class DroppedCandidate(_message.Message):
    __slots__ = ("model", "reason")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    model: str
    reason: DropReason
    def __init__(self, model: _Optional[str] = ..., reason: _Optional[_Union[DropReason, str]] = ...) -> None: ...

class EngineFailure(_message.Message):
    __slots__ = ("engine", "stage")
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    engine: str
    stage: str
    def __init__(self, engine: _Optional[str] = ..., stage: _Optional[str] = ...) -> None: ...

class Classification(_message.Message):
    __slots__ = ("difficulty", "ambiguity", "domain")
    DIFFICULTY_FIELD_NUMBER: _ClassVar[int]
    AMBIGUITY_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    difficulty: ClassificationHead
    ambiguity: ClassificationHead
    domain: ClassificationHead
    def __init__(self, difficulty: _Optional[_Union[ClassificationHead, _Mapping]] = ..., ambiguity: _Optional[_Union[ClassificationHead, _Mapping]] = ..., domain: _Optional[_Union[ClassificationHead, _Mapping]] = ...) -> None: ...

class ClassificationHead(_message.Message):
    __slots__ = ("label", "confidence", "meets_threshold")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    MEETS_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    label: str
    confidence: float
    meets_threshold: bool
    def __init__(self, label: _Optional[str] = ..., confidence: _Optional[float] = ..., meets_threshold: bool = ...) -> None: ...
