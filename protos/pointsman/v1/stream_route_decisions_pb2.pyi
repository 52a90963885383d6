from pointsman.v1 import call_status_pb2 as _call_status_pb2
from pointsman.v1 import route_decision_pb2 as _route_decision_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StreamRouteDecisionsRequest(_message.Message):
    __slots__ = ("correlation_id", "request", "timeout_ms", "traceparent", "tracestate")
    CORRELATION_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    TRACESTATE_FIELD_NUMBER: _ClassVar[int]
    correlation_id: str
    request: _route_decision_pb2.RouteDecisionRequest
    timeout_ms: int
    traceparent: str
    tracestate: str
    def __init__(self, correlation_id: _Optional[str] = ..., request: _Optional[_Union[_route_decision_pb2.RouteDecisionRequest, _Mapping]] = ..., timeout_ms: _Optional[int] = ..., traceparent: _Optional[str] = ..., tracestate: _Optional[str] = ...) -> None: ...

class StreamRouteDecisionsResponse(_message.Message):
    __slots__ = ("correlation_id", "response", "status")
    CORRELATION_ID_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    correlation_id: str
    response: _route_decision_pb2.RouteDecisionResponse
    status: _call_status_pb2.CallStatus
    def __init__(self, correlation_id: _Optional[str] = ..., response: _Optional[_Union[_route_decision_pb2.RouteDecisionResponse, _Mapping]] = ..., status: _Optional[_Union[_call_status_pb2.CallStatus, _Mapping]] = ...) -> None: ...
