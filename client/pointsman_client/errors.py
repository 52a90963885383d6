"""The errors of the client, as a tree. No gRPC type is part of it.

RoutingError            any failure without an answer
├── InvalidRequest      fields are out of bounds; `violations` names each
│   └── UnusableBody    a request body that has not the shape of its API
├── Denied              no credentials, wrong ones, or not enough of them
├── NotFound            the requested item does not exist
├── Overloaded          too many calls at once; `retry_after` is the delay
├── Unavailable         the service cannot be reached, or is starting or shutting down
├── DeadlineExceeded    no answer in time
├── Unsupported         the service does not know this call; it is older than the client
├── ServiceFault        a bug in the service; its log has the traceback
├── ClientClosed        the client was closed before or during the call
└── ClientFault         a bug in the client; `__cause__` is the exception

The table in `statuses` maps gRPC statuses to errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


class Fallback(StrEnum):
    """The reason why `decide` returned the static pick without an answer from the service."""

    INVALID = "invalid"
    DENIED = "denied"
    NOT_FOUND = "not_found"
    OVERLOADED = "overloaded"
    UNAVAILABLE = "unavailable"
    DEADLINE = "deadline"
    UNSUPPORTED = "unsupported"
    SERVICE_FAULT = "service_fault"
    CLOSED = "closed"
    CLIENT_FAULT = "client_fault"


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One bad field: its path in the request (`caller.user_id`) and the error."""

    field: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorFacts:
    """Structured facts from the service; empty if the error arose in the client.

    `status` is the name of the gRPC status, `reason` one of the contract's `ErrorReason` without
    its prefix (switch on it, never on the text), `retry_after` is in seconds.
    """

    status: str | None = None
    reason: str | None = None
    violations: tuple[FieldViolation, ...] = ()
    retry_after: float | None = None


NO_FACTS = ErrorFacts()


class RoutingError(Exception):
    """Any failure without an answer."""

    fallback: ClassVar[Fallback]
    retryable: ClassVar[bool] = False
    """Whether the same request may succeed a moment later."""

    def __init__(self, message: str, *, facts: ErrorFacts = NO_FACTS) -> None:
        self.facts = facts
        fields = "; ".join(f"{each.field}: {each.description}" for each in facts.violations)
        super().__init__(f"{message}: {fields}" if fields else message)

    @property
    def status(self) -> str | None:
        """The name of the gRPC status; `None` when the error arose in the client."""
        return self.facts.status

    @property
    def reason(self) -> str | None:
        """The contract's reason, for example `INVALID_FIELD`."""
        return self.facts.reason

    @property
    def violations(self) -> tuple[FieldViolation, ...]:
        """The bad fields."""
        return self.facts.violations

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait before the next call."""
        return self.facts.retry_after


class InvalidRequest(RoutingError):
    """A request's fields are out of bounds; every bad one is in `violations`."""

    fallback = Fallback.INVALID


class UnusableBody(InvalidRequest):
    """A request body has not the shape of its API."""


class Denied(RoutingError):
    """No credentials, wrong ones, or not enough of them."""

    fallback = Fallback.DENIED


class NotFound(RoutingError):
    """The requested item does not exist."""

    fallback = Fallback.NOT_FOUND


class Overloaded(RoutingError):
    """Too many calls at once."""

    fallback = Fallback.OVERLOADED
    retryable = True


class Unavailable(RoutingError):
    """The service cannot be reached, or is starting or shutting down."""

    fallback = Fallback.UNAVAILABLE
    retryable = True


class DeadlineExceeded(RoutingError):
    """No answer in time."""

    fallback = Fallback.DEADLINE
    retryable = True


class Unsupported(RoutingError):
    """The service does not know this call."""

    fallback = Fallback.UNSUPPORTED


class ServiceFault(RoutingError):
    """A bug in the service."""

    fallback = Fallback.SERVICE_FAULT


class ClientClosed(RoutingError):
    """The client was closed before or during the call."""

    fallback = Fallback.CLOSED


class ClientFault(RoutingError):
    """A bug in the client; `__cause__` is the exception."""

    fallback = Fallback.CLIENT_FAULT
