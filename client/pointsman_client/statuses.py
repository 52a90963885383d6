"""The table from gRPC statuses to errors, complete for `grpc.StatusCode` except `OK`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

import grpc
from pointsman.v1.call_status_pb2 import CallStatus

from pointsman_client.details import TRAILER, read_details
from pointsman_client.errors import (
    DeadlineExceeded,
    Denied,
    InvalidRequest,
    NotFound,
    Overloaded,
    RoutingError,
    ServiceFault,
    Unavailable,
    Unsupported,
)

ERRORS: Mapping[grpc.StatusCode, type[RoutingError]] = {
    # A server that sheds early answers CANCELLED; so does a proxy that gives up. The caller's own
    # cancellation never comes this way: it stays an asyncio.CancelledError.
    grpc.StatusCode.CANCELLED: Unavailable,
    grpc.StatusCode.UNKNOWN: ServiceFault,
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequest,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.ALREADY_EXISTS: ServiceFault,
    grpc.StatusCode.PERMISSION_DENIED: Denied,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Overloaded,
    grpc.StatusCode.FAILED_PRECONDITION: ServiceFault,
    grpc.StatusCode.ABORTED: Unavailable,
    grpc.StatusCode.OUT_OF_RANGE: InvalidRequest,
    grpc.StatusCode.UNIMPLEMENTED: Unsupported,
    grpc.StatusCode.INTERNAL: ServiceFault,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DATA_LOSS: ServiceFault,
    grpc.StatusCode.UNAUTHENTICATED: Denied,
}


_BY_NUMBER = {code.value[0]: code for code in grpc.StatusCode}


class RpcFailure(Protocol):
    """Common interface of the errors of blocking and async calls."""

    def code(self) -> grpc.StatusCode:
        """The status."""
        ...

    def details(self) -> str | None:
        """The status's text."""
        ...

    def trailing_metadata(self) -> Iterable[tuple[str, str | bytes]] | None:
        """The trailers, which carry the status's details."""
        ...


def error_from(failure: RpcFailure) -> RoutingError:
    """Return the error of this client that stands for `failure`."""
    trailers = failure.trailing_metadata() or ()
    return _error(failure.code(), text=failure.details() or "", trailers=trailers)


def error_in(status: CallStatus) -> RoutingError:
    """The error for the status of one decision of a stream or a batch."""
    code = _BY_NUMBER.get(status.code, grpc.StatusCode.UNKNOWN)
    details = ((TRAILER, status.SerializeToString()),)
    return _error(code, text=status.message, trailers=details)


def _error(
    code: grpc.StatusCode, *, text: str, trailers: Iterable[tuple[str, str | bytes]]
) -> RoutingError:
    facts = read_details(code.name, trailers=trailers)
    message = f"{code.name}: {text}" if text and not facts.violations else code.name
    # A status that a newer gRPC may bring is no reason to let its exception through.
    return ERRORS.get(code, ServiceFault)(message, facts=facts)
