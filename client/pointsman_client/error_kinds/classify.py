"""Classify errors of LLM calls by their attributes, without any client library.

The kind of an error comes from an HTTP status, the error code in a provider's body (also inside a
stream that began with 200), a gRPC status, or a standard base class. Wrapped errors are found
through causes, reasons and exception groups.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pointsman_client.error_kinds import tables

TIMEOUT = "timeout"
CONNECTION = "connection"
UNUSABLE_RESPONSE = "unusable_response"

_LOWEST, _HIGHEST = 100, 599
_MOST_ERRORS = 64
"""Errors of one chain that are looked at; a chain may be a circle."""
_OPAQUE = "opaque"
"""The error is the caller's own mistake: its causes are ignored."""


class UnusableResponse(Exception):  # no suffix `Error`: an event
    """Raise it for an unusable answer: empty, truncated, or off the subject."""


def kind_of(error: BaseException) -> str | None:
    """Return the kind of `error` in the terms of `eligible_errors`; `None` if it is unknown.

    A group has a kind if each of its errors has one: the first one's.

    >>> kind_of(TimeoutError())
    'timeout'
    """
    kind = _kind(error, seen=set())
    return None if kind == _OPAQUE else kind


def status_of(error: BaseException) -> int | None:
    """Return the HTTP status of `error`: its own, its response's, or that of its error code."""
    found = [status for status in map(_status, _statuses(error)) if status is not None]
    failed = next((status for status in found if status >= HTTPStatus.BAD_REQUEST), None)
    if failed is not None:
        return failed
    coded = next((s for s in map(_status_of_code, _codes(error)) if s is not None), None)
    return coded if coded is not None else next(iter(found), None)


def is_eligible(kind: str | None, eligible: Sequence[str]) -> bool:
    """Return whether an error of `kind` leads to the next attempt."""
    if kind is None:
        return False
    return kind in eligible or (kind.startswith("http_") and f"{kind[:6]}xx" in eligible)


def _kind(error: BaseException, *, seen: set[int]) -> str | None:
    if id(error) in seen or len(seen) >= _MOST_ERRORS:
        return None
    seen.add(id(error))
    if isinstance(error, BaseExceptionGroup):
        kinds = [_kind(each, seen=seen) for each in error.exceptions]
        return kinds[0] if all(kinds) else None
    own = _own_kind(error)
    if own is not None:
        return own
    for inner in _wrapped(error):
        kind = _kind(inner, seen=seen)
        if kind is not None:
            return kind
    return None


def _own_kind(error: BaseException) -> str | None:
    names = {each.__name__ for each in type(error).__mro__}
    if names & tables.OWN_MISTAKES:
        return _OPAQUE
    status = status_of(error)
    if status is not None and status >= HTTPStatus.BAD_REQUEST:
        return "http_500" if status == tables.MODEL_STREAM_ERROR else f"http_{status}"
    # An answer that fails validation may have come with status 200.
    if names & tables.UNUSABLE_NAMES:
        return UNUSABLE_RESPONSE
    if isinstance(error, TimeoutError) or names & tables.TIMEOUT_NAMES:
        return TIMEOUT
    if _is_connection(error, names):
        return CONNECTION
    redirected = status is not None and status >= HTTPStatus.MULTIPLE_CHOICES
    return f"http_{status}" if redirected else None


def _is_connection(error: BaseException, names: set[str]) -> bool:
    if isinstance(error, ConnectionError) or names & tables.CONNECTION_NAMES:
        return True
    if "SSLError" in names:  # ssl, requests, urllib3, botocore
        return True
    return isinstance(error, OSError) and error.errno in tables.CONNECTION_ERRNOS


def _wrapped(error: BaseException) -> Iterator[BaseException]:
    """The errors that `error` stands for; `__context__` only where it is not suppressed."""
    reason = _read(error, "reason")  # urllib.error.URLError, urllib3.MaxRetryError
    if isinstance(reason, BaseException):
        yield reason
    if error.__cause__ is not None:
        yield error.__cause__
    elif error.__context__ is not None and not error.__suppress_context__:
        yield error.__context__


def _statuses(error: BaseException) -> Iterator[Any]:
    response = _read(error, "response")
    for holder in (error, response):
        for name in ("status_code", "status", "http_status"):
            yield _read(holder, name)
    if isinstance(response, Mapping):  # botocore
        metadata = response.get("ResponseMetadata")
        yield metadata.get("HTTPStatusCode") if isinstance(metadata, Mapping) else None
    yield _read(error, "code")  # urllib, google.genai, google.api_core


def _status(value: Any) -> int | None:
    """`value` as an HTTP status; statuses also come as text."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) == 3:  # noqa: PLR2004
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and _LOWEST <= value <= _HIGHEST:
        return int(value)
    return None


def _codes(error: BaseException) -> Iterator[Any]:
    """Error codes, the most specific first: of the error, of its body, of gRPC."""
    yield _in_capitals(_read(error, "code"))
    yield from (_read(error, name) for name in ("type", "status"))
    for name in ("body", "details", "response"):  # openai and anthropic, google.genai, botocore
        yield from _codes_in(_read(error, name))
    # A method of gRPC's errors, and of nothing else that is safe to call.
    if any(each.__name__ == "RpcError" for each in type(error).__mro__):
        code = _read(error, "code")
        yield _read(code() if callable(code) else None, "name")


def _codes_in(body: Any) -> Iterator[Any]:
    if not isinstance(body, Mapping):
        return
    for part in (body.get("error"), body.get("Error"), body):
        if isinstance(part, Mapping):
            yield _in_capitals(part.get("code"))
            yield from (part.get(name) for name in ("type", "status", "Code"))
        elif isinstance(part, str):
            yield part


def _in_capitals(code: Any) -> Any:
    """A gRPC status as the table has it: Connect writes it in small letters, as `code` alone."""
    if isinstance(code, str) and code.islower() and code.upper() in tables.STATUS_OF_GRPC:
        return code.upper()
    return code


def _status_of_code(code: Any) -> int | None:
    status = _status(code)
    if status is not None or not isinstance(code, str):
        return status
    if code in tables.STATUS_OF_GRPC:
        return tables.STATUS_OF_GRPC[code]
    name = code.rpartition("#")[2].lower()
    return tables.STATUS_OF_CODE.get(name) or tables.STATUS_OF_CODE.get(
        name.removesuffix("exception")
    )


def _read(holder: Any, name: str) -> Any:
    """An attribute, where it can be read: a property of a foreign error may raise."""
    try:
        return getattr(holder, name, None)
    except Exception:  # noqa: BLE001  (whatever it raises, the error says nothing there)
        return None
