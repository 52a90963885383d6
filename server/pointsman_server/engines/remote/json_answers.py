"""Parsers of a remote engine's answer: JSON, labels, shares."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

_ROUNDING = 1e-6
# Built once: `json.loads` with an argument builds one for each call. A number too long for an
# integer is out of range, not a reason to lose the rest.
_JSON = json.JSONDecoder(parse_int=float)


def decode_json(body: bytes) -> Any:
    """Return the JSON value, numbers as floats; `None` if `body` is not JSON."""
    try:
        return _JSON.decode(body.decode(json.detect_encoding(body), "surrogatepass"))
    except (ValueError, RecursionError):
        return None


def label(value: object, known: Collection[str]) -> str | None:
    """`value` if it is one of `known`, else `None`."""
    return value if isinstance(value, str) and value in known else None


def share(value: object) -> float | None:
    """`value` if it is a number from 0 to 1, else `None`; NaN is not."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= 1 else None


def chance(value: object) -> float | None:
    """`value` if it is a probability, else `None`; what rounding took beyond 0 or 1 is cut off."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return min(max(float(value), 0.0), 1.0) if -_ROUNDING <= value <= 1 + _ROUNDING else None
