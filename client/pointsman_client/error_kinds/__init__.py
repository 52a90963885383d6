"""Kinds of errors that LLM calls raise, without importing any provider's package."""

from pointsman_client.error_kinds.classify import (
    CONNECTION,
    TIMEOUT,
    UNUSABLE_RESPONSE,
    UnusableResponse,
    is_eligible,
    kind_of,
    status_of,
)

__all__ = [
    "CONNECTION",
    "TIMEOUT",
    "UNUSABLE_RESPONSE",
    "UnusableResponse",
    "is_eligible",
    "kind_of",
    "status_of",
]
