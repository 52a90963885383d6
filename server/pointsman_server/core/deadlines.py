"""The part of a caller's time that engines may use."""

from __future__ import annotations

SHARE = 0.1
"""The share of a caller's time that is left for an answer without the slow engine and its way back:
a busy machine needs more of it than an idle one, and a patient caller has more to give."""
LEAST, MOST = 0.03, 0.25
"""Bounds of that time, in seconds."""
WAY_BACK = 0.01
"""The seconds of it in which an answer that is there goes back to the caller."""


def answer_by(deadline: float | None, *, now: float) -> float | None:
    """When engines of others are cut off; `deadline` and the result are on the monotonic clock."""
    if deadline is None:
        return None
    return deadline - min(max((deadline - now) * SHARE, LEAST), MOST)


def read_by(cut_off: float | None) -> float | None:
    """When this process's own readers have to be done, by what `answer_by` said."""
    return None if cut_off is None else cut_off + LEAST - WAY_BACK
