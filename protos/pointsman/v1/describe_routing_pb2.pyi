import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Mode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MODE_UNSPECIFIED: _ClassVar[Mode]
    MODE_OFF: _ClassVar[Mode]
    MODE_SHADOW: _ClassVar[Mode]
    MODE_SERVE: _ClassVar[Mode]

class Stickiness(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STICKINESS_UNSPECIFIED: _ClassVar[Stickiness]
    STICKINESS_EXACT: _ClassVar[Stickiness]
    STICKINESS_CONVERSATION: _ClassVar[Stickiness]
    STICKINESS_ADAPTIVE: _ClassVar[Stickiness]

class OrganizationPolicy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ORGANIZATION_POLICY_UNSPECIFIED: _ClassVar[OrganizationPolicy]
    ORGANIZATION_POLICY_EXCLUDED: _ClassVar[OrganizationPolicy]
    ORGANIZATION_POLICY_LOCAL_ONLY: _ClassVar[OrganizationPolicy]
    ORGANIZATION_POLICY_ALLOWED: _ClassVar[OrganizationPolicy]

class EngineState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ENGINE_STATE_UNSPECIFIED: _ClassVar[EngineState]
    ENGINE_STATE_READY: _ClassVar[EngineState]
    ENGINE_STATE_FLAG_OFF: _ClassVar[EngineState]
    ENGINE_STATE_CIRCUIT_OPEN: _ClassVar[EngineState]
    ENGINE_STATE_CIRCUIT_HALF_OPEN: _ClassVar[EngineState]
    ENGINE_STATE_NO_KEY: _ClassVar[EngineState]
MODE_UNSPECIFIED: Mode
MODE_OFF: Mode
MODE_SHADOW: Mode
MODE_SERVE: Mode
STICKINESS_UNSPECIFIED: Stickiness
STICKINESS_EXACT: Stickiness
STICKINESS_CONVERSATION: Stickiness
STICKINESS_ADAPTIVE: Stickiness
ORGANIZATION_POLICY_UNSPECIFIED: OrganizationPolicy
ORGANIZATION_POLICY_EXCLUDED: OrganizationPolicy
ORGANIZATION_POLICY_LOCAL_ONLY: OrganizationPolicy
ORGANIZATION_POLICY_ALLOWED: OrganizationPolicy
ENGINE_STATE_UNSPECIFIED: EngineState
ENGINE_STATE_READY: EngineState
ENGINE_STATE_FLAG_OFF: EngineState
ENGINE_STATE_CIRCUIT_OPEN: EngineState
ENGINE_STATE_CIRCUIT_HALF_OPEN: EngineState
ENGINE_STATE_NO_KEY: EngineState

class DescribeRoutingRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DescribeRoutingResponse(_message.Message):
    __slots__ = ("mode", "serve_percent", "tiers", "models", "engines", "policy_version", "policy_loaded_at", "reload_problems", "server_version", "third_party_allowed", "organizations_allowed", "purposes", "profiles", "organizations", "warnings")
    MODE_FIELD_NUMBER: _ClassVar[int]
    SERVE_PERCENT_FIELD_NUMBER: _ClassVar[int]
    TIERS_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    ENGINES_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    POLICY_LOADED_AT_FIELD_NUMBER: _ClassVar[int]
    RELOAD_PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    SERVER_VERSION_FIELD_NUMBER: _ClassVar[int]
    THIRD_PARTY_ALLOWED_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATIONS_ALLOWED_FIELD_NUMBER: _ClassVar[int]
    PURPOSES_FIELD_NUMBER: _ClassVar[int]
    PROFILES_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATIONS_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    mode: Mode
    serve_percent: float
    tiers: _containers.RepeatedCompositeFieldContainer[TierDescription]
    models: _containers.RepeatedCompositeFieldContainer[ModelDescription]
    engines: _containers.RepeatedCompositeFieldContainer[EngineDescription]
    policy_version: str
    policy_loaded_at: _timestamp_pb2.Timestamp
    reload_problems: _containers.RepeatedCompositeFieldContainer[PolicyProblem]
    server_version: str
    third_party_allowed: bool
    organizations_allowed: bool
    purposes: _containers.RepeatedCompositeFieldContainer[PurposeDescription]
    profiles: _containers.RepeatedCompositeFieldContainer[ProfileDescription]
    organizations: OrganizationPolicy
    warnings: _containers.RepeatedCompositeFieldContainer[PolicyProblem]
    def __init__(self, mode: _Optional[_Union[Mode, str]] = ..., serve_percent: _Optional[float] = ..., tiers: _Optional[_Iterable[_Union[TierDescription, _Mapping]]] = ..., models: _Optional[_Iterable[_Union[ModelDescription, _Mapping]]] = ..., engines: _Optional[_Iterable[_Union[EngineDescription, _Mapping]]] = ..., policy_version: _Optional[str] = ..., policy_loaded_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reload_problems: _Optional[_Iterable[_Union[PolicyProblem, _Mapping]]] = ..., server_version: _Optional[str] = ..., third_party_allowed: bool = ..., organizations_allowed: bool = ..., purposes: _Optional[_Iterable[_Union[PurposeDescription, _Mapping]]] = ..., profiles: _Optional[_Iterable[_Union[ProfileDescription, _Mapping]]] = ..., organizations: _Optional[_Union[OrganizationPolicy, str]] = ..., warnings: _Optional[_Iterable[_Union[PolicyProblem, _Mapping]]] = ...) -> None: ...

class PurposeDescription(_message.Message):
    __slots__ = ("name", "candidates", "fallback_profiles", "tier", "eligible_errors")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_PROFILES_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    ELIGIBLE_ERRORS_FIELD_NUMBER: _ClassVar[int]
    name: str
    candidates: _containers.RepeatedCompositeFieldContainer[ProfileShare]
    fallback_profiles: _containers.RepeatedScalarFieldContainer[str]
    tier: str
    eligible_errors: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., candidates: _Optional[_Iterable[_Union[ProfileShare, _Mapping]]] = ..., fallback_profiles: _Optional[_Iterable[str]] = ..., tier: _Optional[str] = ..., eligible_errors: _Optional[_Iterable[str]] = ...) -> None: ...

class ProfileShare(_message.Message):
    __slots__ = ("profile", "share")
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    profile: str
    share: float
    def __init__(self, profile: _Optional[str] = ..., share: _Optional[float] = ...) -> None: ...

class ProfileDescription(_message.Message):
    __slots__ = ("name", "provider", "model")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    name: str
    provider: str
    model: str
    def __init__(self, name: _Optional[str] = ..., provider: _Optional[str] = ..., model: _Optional[str] = ...) -> None: ...

class TierDescription(_message.Message):
    __slots__ = ("name", "policy", "stickiness", "default_candidates")
    NAME_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    STICKINESS_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    name: str
    policy: str
    stickiness: Stickiness
    default_candidates: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., policy: _Optional[str] = ..., stickiness: _Optional[_Union[Stickiness, str]] = ..., default_candidates: _Optional[_Iterable[str]] = ...) -> None: ...

class ModelDescription(_message.Message):
    __slots__ = ("model", "router_model", "routable", "input_price", "output_price", "context_window", "cached_input_price", "reasoning_efforts", "routine", "heavy")
    class HeavyEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ROUTER_MODEL_FIELD_NUMBER: _ClassVar[int]
    ROUTABLE_FIELD_NUMBER: _ClassVar[int]
    INPUT_PRICE_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_PRICE_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_WINDOW_FIELD_NUMBER: _ClassVar[int]
    CACHED_INPUT_PRICE_FIELD_NUMBER: _ClassVar[int]
    REASONING_EFFORTS_FIELD_NUMBER: _ClassVar[int]
    ROUTINE_FIELD_NUMBER: _ClassVar[int]
    HEAVY_FIELD_NUMBER: _ClassVar[int]
    model: str
    router_model: str
    routable: bool
    input_price: float
    output_price: float
    context_window: int
    cached_input_price: float
    reasoning_efforts: _containers.RepeatedScalarFieldContainer[str]
    routine: float
    heavy: _containers.ScalarMap[str, float]
    def __init__(self, model: _Optional[str] = ..., router_model: _Optional[str] = ..., routable: bool = ..., input_price: _Optional[float] = ..., output_price: _Optional[float] = ..., context_window: _Optional[int] = ..., cached_input_price: _Optional[float] = ..., reasoning_efforts: _Optional[_Iterable[str]] = ..., routine: _Optional[float] = ..., heavy: _Optional[_Mapping[str, float]] = ...) -> None: ...

class EngineDescription(_message.Message):
    __slots__ = ("name", "state", "consecutive_failures", "third_party", "probing", "in_flight", "max_in_flight", "failures")
    class FailuresEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CONSECUTIVE_FAILURES_FIELD_NUMBER: _ClassVar[int]
    THIRD_PARTY_FIELD_NUMBER: _ClassVar[int]
    PROBING_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    MAX_IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    name: str
    state: EngineState
    consecutive_failures: int
    third_party: bool
    probing: bool
    in_flight: int
    max_in_flight: int
    failures: _containers.ScalarMap[str, int]
    def __init__(self, name: _Optional[str] = ..., state: _Optional[_Union[EngineState, str]] = ..., consecutive_failures: _Optional[int] = ..., third_party: bool = ..., probing: bool = ..., in_flight: _Optional[int] = ..., max_in_flight: _Optional[int] = ..., failures: _Optional[_Mapping[str, int]] = ...) -> None: ...

class PolicyProblem(_message.Message):
    __slots__ = ("path", "message")
    PATH_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    path: str
    message: str
    def __init__(self, path: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...
