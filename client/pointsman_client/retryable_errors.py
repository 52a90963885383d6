"""Which error of an LLM call is which: by status and by name, so that no client library is needed.

Known by their shape: httpx, openai, anthropic, aiohttp, requests, and whatever has a status.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

TIMEOUT = "timeout"
CONNECTION = "connection"
UNUSABLE_RESPONSE = "unusable_response"

_LOWEST, _HIGHEST = 100, 599

_TIMEOUTS = frozenset({
    "TimeoutException",  # httpx
    "APITimeoutError",  # openai, anthropic
    "ServerTimeoutError",  # aiohttp
    "Timeout",  # requests
})  # fmt: skip
_CONNECTIONS = frozenset({
    "APIConnectionError",  # openai, anthropic
    "TransportError",  # httpx
    "ClientConnectionError",  # aiohttp
    "ConnectionError",  # requests; its namesake is a builtin
})  # fmt: skip
_UNUSABLE = frozenset({
    "APIResponseValidationError",  # openai, anthropic
    "DecodingError",  # httpx
    "ContentTypeError",  # aiohttp
    "JSONDecodeError",  # json, requests
    "UnusableResponse",
})  # fmt: skip
_OWN_MISTAKES = frozenset({"UnsupportedProtocol", "LocalProtocolError"})
"""httpx's errors of transport that say that the request itself is wrong."""


class UnusableResponse(Exception):  # named for what happened
    """Raise it in a call whose answer came and is of no use: empty, cut off, not what was asked."""


def kind_of(error: BaseException) -> str | None:
    """The kind of `error` in the words of `eligible_errors`; `None` for any other error.

    >>> kind_of(TimeoutError())
    'timeout'
    """
    names = {each.__name__ for each in type(error).__mro__}
    if names & _OWN_MISTAKES:
        return None
    # An answer that fails validation may have come with status 200.
    if names & _UNUSABLE:
        return UNUSABLE_RESPONSE
    status = status_of(error)
    if status is not None:
        return f"http_{status}"
    if isinstance(error, TimeoutError) or names & _TIMEOUTS:
        return TIMEOUT
    if isinstance(error, ConnectionError) or names & _CONNECTIONS or "gaierror" in names:
        return CONNECTION
    return None


def status_of(error: BaseException) -> int | None:
    """The HTTP status that `error` carries: its own, or its response's."""
    for status in _statuses(error):
        whole = isinstance(status, int) and not isinstance(status, bool)
        if whole and _LOWEST <= int(status) <= _HIGHEST:
            return int(status)
    return None


def is_eligible(kind: str | None, eligible: Sequence[str]) -> bool:
    """Whether the next attempt is to be made after an error of `kind`."""
    if kind is None:
        return False
    return kind in eligible or (kind.startswith("http_") and f"{kind[:6]}xx" in eligible)


def _statuses(error: BaseException) -> Iterator[Any]:
    response = getattr(error, "response", None)
    for holder, names in (
        (error, ("status_code", "status")),
        (response, ("status_code", "status")),
        (error, ("code",)),
    ):
        yield from (getattr(holder, name, None) for name in names)
