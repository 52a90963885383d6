"""gRPC statuses as Connect's errors, with the same details."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping

import grpc
from connectrpc.code import Code
from connectrpc.errors import ConnectError, ErrorDetail
from google.rpc.status_pb2 import Status
from protobuf.wkt import Any as AnyMessage

from pointsman_server.transport.call import STATUS_TRAILER

_CODES: Mapping[grpc.StatusCode, Code] = {
    code: Code[code.name.replace("CANCELLED", "CANCELED")]
    for code in grpc.StatusCode
    if code is not grpc.StatusCode.OK
}


def connect_error(
    code: grpc.StatusCode, text: str, trailers: Iterable[tuple[str, str | bytes]]
) -> ConnectError:
    """Build the error with the details that gRPC puts into a trailer."""
    packed = next((v for k, v in trailers if k == STATUS_TRAILER and type(v) is bytes), b"")
    details = [
        ErrorDetail(AnyMessage(type_url=each.type_url, value=each.value))
        for each in Status.FromString(packed).details
    ]
    return ConnectError(_CODES[code], text, details)


def error_of(status: grpc.Status) -> ConnectError:
    """Build the error of a status."""
    return connect_error(status.code, status.details, status.trailing_metadata)


def error_body(error: ConnectError) -> bytes:
    """Write the JSON body of an error, for answers from outside the RPCs."""
    details = [
        {
            "type": each.type_name,
            "value": base64.b64encode(each.message_bytes).decode().rstrip("="),
        }
        for each in error.details
    ]
    body = {"code": error.code.value, "message": error.message, "details": details}
    return json.dumps(body).encode()
