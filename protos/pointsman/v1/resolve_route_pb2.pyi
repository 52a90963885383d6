from google.protobuf import struct_pb2 as _struct_pb2
from pointsman.v1 import route_decision_pb2 as _route_decision_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ResolveRouteRequest(_message.Message):
    __slots__ = ("purpose", "run_id", "profile_override", "prompt", "caller", "data_policy", "constraints", "candidate_models", "resolved_model", "dry_run", "incumbent_model")
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    PROFILE_OVERRIDE_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    DATA_POLICY_FIELD_NUMBER: _ClassVar[int]
    CONSTRAINTS_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_MODELS_FIELD_NUMBER: _ClassVar[int]
    RESOLVED_MODEL_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    INCUMBENT_MODEL_FIELD_NUMBER: _ClassVar[int]
    purpose: str
    run_id: str
    profile_override: str
    prompt: _route_decision_pb2.Prompt
    caller: _route_decision_pb2.Caller
    data_policy: _route_decision_pb2.DataPolicy
    constraints: _route_decision_pb2.Constraints
    candidate_models: _containers.RepeatedScalarFieldContainer[str]
    resolved_model: str
    dry_run: bool
    incumbent_model: str
    def __init__(self, purpose: _Optional[str] = ..., run_id: _Optional[str] = ..., profile_override: _Optional[str] = ..., prompt: _Optional[_Union[_route_decision_pb2.Prompt, _Mapping]] = ..., caller: _Optional[_Union[_route_decision_pb2.Caller, _Mapping]] = ..., data_policy: _Optional[_Union[_route_decision_pb2.DataPolicy, str]] = ..., constraints: _Optional[_Union[_route_decision_pb2.Constraints, _Mapping]] = ..., candidate_models: _Optional[_Iterable[str]] = ..., resolved_model: _Optional[str] = ..., dry_run: bool = ..., incumbent_model: _Optional[str] = ...) -> None: ...

class ResolveRouteResponse(_message.Message):
    __slots__ = ("purpose", "run_id", "attempts", "eligible_errors", "policy_version", "decision")
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    ELIGIBLE_ERRORS_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    purpose: str
    run_id: str
    attempts: _containers.RepeatedCompositeFieldContainer[Attempt]
    eligible_errors: _containers.RepeatedScalarFieldContainer[str]
    policy_version: str
    decision: _route_decision_pb2.RouteDecisionResponse
    def __init__(self, purpose: _Optional[str] = ..., run_id: _Optional[str] = ..., attempts: _Optional[_Iterable[_Union[Attempt, _Mapping]]] = ..., eligible_errors: _Optional[_Iterable[str]] = ..., policy_version: _Optional[str] = ..., decision: _Optional[_Union[_route_decision_pb2.RouteDecisionResponse, _Mapping]] = ...) -> None: ...

class Attempt(_message.Message):
    __slots__ = ("profile", "provider", "model", "endpoint", "parameters", "credential_ref", "share")
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    CREDENTIAL_REF_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    profile: str
    provider: str
    model: str
    endpoint: str
    parameters: _struct_pb2.Struct
    credential_ref: str
    share: float
    def __init__(self, profile: _Optional[str] = ..., provider: _Optional[str] = ..., model: _Optional[str] = ..., endpoint: _Optional[str] = ..., parameters: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., credential_ref: _Optional[str] = ..., share: _Optional[float] = ...) -> None: ...
