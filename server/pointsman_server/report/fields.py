"""Checked fields of a JSON object. Errors name the field and never its content."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

LONGEST_TEXT: Final = 256
"""Characters of a name; the policy file allows no more."""
LARGEST: Final = 1e15
"""No duration, size or count of a line is larger."""


class Unreadable(Exception):
    """A line that cannot be read; says why in words that hold nothing of the line."""


def text(fields: Mapping[str, object], name: str) -> str:
    """Printable text of 1 to `LONGEST_TEXT` characters. Raises `Unreadable`."""
    value = fields.get(name)
    if isinstance(value, str) and 0 < len(value) <= LONGEST_TEXT and value.isprintable():
        return value
    raise Unreadable(f"{name}: not a name")


def optional_text(fields: Mapping[str, object], name: str) -> str | None:
    """Like `text`, or `None` where there is nothing to say. Raises `Unreadable`."""
    return None if fields.get(name) is None else text(fields, name)


def number(fields: Mapping[str, object], name: str) -> float:
    """A number from 0 to `LARGEST`. Raises `Unreadable`."""
    value = fields.get(name)
    # A boolean is an int to Python; nan compares false with everything.
    if type(value) in {int, float} and 0 <= value <= LARGEST:  # type: ignore[operator]
        return float(value)  # type: ignore[arg-type]
    raise Unreadable(f"{name}: not a number from 0 on")


def flag(fields: Mapping[str, object], name: str) -> bool:
    """Read a boolean. Raises `Unreadable`."""
    value = fields.get(name)
    if isinstance(value, bool):
        return value
    raise Unreadable(f"{name}: not a boolean")


def optional_flag(fields: Mapping[str, object], name: str) -> bool | None:
    """A boolean, or `None` where there is nothing to say. Raises `Unreadable`."""
    return None if fields.get(name) is None else flag(fields, name)


def moment(fields: Mapping[str, object], name: str) -> datetime:
    """A point in time, RFC 3339, as UTC. Raises `Unreadable`."""
    try:
        value = datetime.fromisoformat(text(fields, name))
    except ValueError:
        raise Unreadable(f"{name}: not a time") from None
    if value.tzinfo is None:
        raise Unreadable(f"{name}: without a time zone")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise Unreadable(f"{name}: before the year 1 or after 9999 in UTC") from None
