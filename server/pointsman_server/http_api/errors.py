"""Refusals, and the only table of their HTTP statuses and JSON bodies.

The body is `{"error": {"code", "message", "request_id"[, "fields": [{"field", "message"}]]}}`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiohttp import web

from pointsman_server.core.errors import (
    EngineFailed,
    EnginesFailed,
    FieldViolation,
    InvalidRequest,
    SourceUnreadable,
    Unauthenticated,
)


class Refused(Exception):
    """An answer other than 200, with all that its body says."""

    def __init__(
        self,
        status: int,
        *,
        code: str,
        message: str,
        fields: Sequence[FieldViolation] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.fields = tuple(fields)
        self.headers = headers or {}
        super().__init__(f"{status} {code}")

    def body(self, *, request_id: str) -> dict[str, Any]:
        """The JSON object that the caller reads."""
        error: dict[str, Any] = {
            "code": self.code,
            "message": self.message,
            "request_id": request_id,
        }
        if self.fields:
            error["fields"] = [{"field": v.field, "message": v.description} for v in self.fields]
        return {"error": error}


def refusal(error: Exception) -> Refused | None:
    """`error` as its caller may see it; `None` where nobody planned for it."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, InvalidRequest):
        return _invalid(error)
    if isinstance(error, web.HTTPException):
        return _of_framework(error)
    for kinds, planned in _PLANNED:
        if isinstance(error, kinds):
            return planned
    return None


def unexpected() -> Refused:
    """The fixed answer to a bug."""
    return Refused(500, code="internal", message="an unexpected error; the server's log has it")


_SOON = {"Retry-After": "1"}

_PLANNED: tuple[tuple[tuple[type[Exception], ...], Refused], ...] = (
    (
        (Unauthenticated,),
        Refused(
            401,
            code="unauthenticated",
            message="send a valid key as 'Authorization: Bearer <key>'",
            headers={"WWW-Authenticate": "Bearer"},
        ),
    ),
    (
        (SourceUnreadable,),
        Refused(
            503,
            code="keys_unreadable",
            message="keys cannot be checked at the moment",
            headers=_SOON,
        ),
    ),
    (
        (EngineFailed, EnginesFailed),
        Refused(503, code="engine_failed", message="the engine could not decide", headers=_SOON),
    ),
)


def _invalid(error: InvalidRequest) -> Refused:
    names = ", ".join(v.field for v in error.violations)
    return Refused(
        422,
        code="invalid_request",
        message=f"these fields are not acceptable: {names}",
        fields=error.violations,
    )


def _of_framework(error: web.HTTPException) -> Refused:
    """Refusals by aiohttp itself, without the path or body that its texts quote."""
    match error:
        case web.HTTPNotFound():
            return Refused(404, code="not_found", message="there is no such route")
        case web.HTTPMethodNotAllowed():
            allow = ", ".join(sorted(error.allowed_methods))
            return Refused(
                405,
                code="method_not_allowed",
                message=f"this route takes {allow}",
                headers={"Allow": allow},
            )
        case web.HTTPRequestEntityTooLarge():
            return Refused(413, code="body_too_large", message="the body is too large")
        case _:
            return Refused(error.status, code="http_error", message=error.reason or "refused")
