from pointsman.v1 import batch_route_decisions_pb2 as _batch_route_decisions_pb2
from pointsman.v1 import describe_routing_pb2 as _describe_routing_pb2
from pointsman.v1 import resolve_route_pb2 as _resolve_route_pb2
from pointsman.v1 import route_decision_pb2 as _route_decision_pb2
from pointsman.v1 import stream_route_decisions_pb2 as _stream_route_decisions_pb2
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor
