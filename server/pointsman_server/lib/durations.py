"""Durations as operators write them."""

from __future__ import annotations

import math
import re
from typing import Final

PATTERN: Final = r"([0-9]{1,9}(?:\.[0-9]{1,9})?)\s?(ms|s|m|h|d)"
"""A number and a unit."""
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_WITH_UNIT: Final = re.compile(PATTERN)


def seconds_of(value: object) -> float:
    """Read a number of seconds, or text with a unit (`50ms`, `30m`). Raises `ValueError`."""
    if isinstance(value, str) and (match := _WITH_UNIT.fullmatch(value)):
        return float(match[1]) * _UNITS[match[2]]
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    raise ValueError("must be a duration: seconds as a number, or text such as `50ms`, `5s`, `30m`")


def seconds_of_text(value: object) -> float:
    """Read the same where a plain number is text too, as in an environment variable."""
    if isinstance(value, str):
        text = value.strip().lower()
        try:
            return seconds_of(float(text))
        except ValueError:
            return seconds_of(text)
    return seconds_of(value)
