from pointsman.v1 import call_status_pb2 as _call_status_pb2
from pointsman.v1 import route_decision_pb2 as _route_decision_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BatchRouteDecisionsRequest(_message.Message):
    __slots__ = ("requests",)
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    requests: _containers.RepeatedCompositeFieldContainer[_route_decision_pb2.RouteDecisionRequest]
    def __init__(self, requests: _Optional[_Iterable[_Union[_route_decision_pb2.RouteDecisionRequest, _Mapping]]] = ...) -> None: ...

class BatchRouteDecisionsResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[BatchRouteDecisionsResult]
    def __init__(self, results: _Optional[_Iterable[_Union[BatchRouteDecisionsResult, _Mapping]]] = ...) -> None: ...

class BatchRouteDecisionsResult(_message.Message):
    __slots__ = ("response", "status")
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    response: _route_decision_pb2.RouteDecisionResponse
    status: _call_status_pb2.CallStatus
    def __init__(self, response: _Optional[_Union[_route_decision_pb2.RouteDecisionResponse, _Mapping]] = ..., status: _Optional[_Union[_call_status_pb2.CallStatus, _Mapping]] = ...) -> None: ...
