"""The decision log's sample rate, from the raw text of its switch."""

from __future__ import annotations

DEFAULT_RATE = 0.01


def effective_rate(raw: str | None) -> float:
    """`raw` as a share between 0 and 1; the default where it is unset, blank or no such number."""
    if raw is None:
        return DEFAULT_RATE
    try:
        rate = float(raw)
    except ValueError:
        return DEFAULT_RATE
    # Also refuses nan, which compares false with everything.
    return rate if 0.0 <= rate <= 1.0 else DEFAULT_RATE
