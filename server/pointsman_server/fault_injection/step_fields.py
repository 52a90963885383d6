"""The fields of a fault step and their allowed values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pointsman_server.http_api.limits import ID_CODE_POINTS

LONGEST_MS = 600_000
LARGEST_BODY = 256 * 1024 * 1024
LOWEST_STATUS, HIGHEST_STATUS = 200, 599


@dataclass(frozen=True, slots=True)
class Rule:
    """The condition on a field's value, as a check and in words."""

    says: str
    holds: Callable[[object], bool]


def _whole(low: int, high: int, *, besides: int | None = None) -> Rule:
    def holds(value: object) -> bool:
        if not isinstance(value, int) or isinstance(value, bool):
            return False
        return value == besides or low <= value <= high

    extra = "" if besides is None else f", or {besides}"
    return Rule(f"must be a whole number from {low} to {high}{extra}", holds)


def _milliseconds() -> Rule:
    def holds(value: object) -> bool:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and 0 < value <= LONGEST_MS  # type: ignore[operator]

    return Rule(f"must be milliseconds, above 0 and at most {LONGEST_MS}", holds)


def _text(low: int, high: int) -> Rule:
    def holds(value: object) -> bool:
        return isinstance(value, str) and low <= len(value) <= high and _encodable(value)

    return Rule(f"must be text of {low} to {high} characters", holds)


def _encodable(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)


_TRUE = Rule("must be true", lambda value: value is True)
_ANY = Rule("may be any JSON value", lambda _: True)

FIELDS = {
    "status": _whole(LOWEST_STATUS, HIGHEST_STATUS),
    "delay_ms": _milliseconds(),
    "body": _text(0, LARGEST_BODY),
    "json": _ANY,
    "wrong_model": _text(1, ID_CODE_POINTS),
    "redirect": _text(1, 2048),
    "broken_body": _TRUE,
    "stall_body": _TRUE,
    "slow_body_ms_per_byte": _milliseconds(),
    "huge_body_bytes": _whole(1, LARGEST_BODY),
    "reset": _TRUE,
    "endless_interim": _TRUE,
    "times": _whole(1, 1_000_000, besides=-1),
}

BODIES = ("body", "json", "wrong_model", "redirect")
"""Fields that set the body: at most one of these."""

FRAMINGS = (
    "broken_body",
    "stall_body",
    "slow_body_ms_per_byte",
    "huge_body_bytes",
    "reset",
    "endless_interim",
)
"""Fields that set the delivery: at most one of these."""
