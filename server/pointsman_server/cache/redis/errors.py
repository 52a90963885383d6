"""Failure stages of a shared store, one word each, for metrics and logs."""

from __future__ import annotations

from redis import exceptions as redis

TIMEOUT = "timeout"
CREDENTIALS = "credentials"
INVALID_ANSWER = "invalid_answer"
UNREACHABLE = "unreachable"
READ_ONLY = "read_only"
REJECTED = "rejected"
UNEXPECTED = "unexpected_error"
RESTING = "resting"


class CacheUnavailable(Exception):
    """The shared store gave no answer; `stage` says why."""

    def __init__(self, stage: str) -> None:
        self.stage = stage
        super().__init__(stage)


class InvalidAnswer(Exception):
    """The store returned a malformed answer."""


# The first that fits: redis-py counts a wrong password among the connection errors.
_STAGES: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    ((TimeoutError, redis.TimeoutError), TIMEOUT),
    ((redis.AuthenticationError, redis.AuthorizationError), CREDENTIALS),
    ((redis.InvalidResponse, InvalidAnswer), INVALID_ANSWER),
    ((redis.ConnectionError, OSError), UNREACHABLE),
    ((redis.ReadOnlyError,), READ_ONLY),
    ((redis.ResponseError,), REJECTED),
)


def stage_of(error: Exception) -> str:
    """The stage of a command's exception."""
    return next((stage for kinds, stage in _STAGES if isinstance(error, kinds)), UNEXPECTED)
