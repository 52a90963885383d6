"""Expected effort of a prompt, 1 (trivial) to 5 (an expert's hours), and its classes."""

from __future__ import annotations

from collections.abc import Sequence

from pointsman_server.core.model import EngineAnswer

NEEDS_INFO = "needs_info"
"""The difficulty of a prompt that is too ambiguous to size."""

_BANDS = {"easy": (1.0, 2.0), "medium": (2.5, 3.5), "hard": (4.0, 5.0)}
_LOWEST, _HIGHEST = 1.0, 5.0


def effort_of(answer: EngineAnswer) -> float | None:
    """The effort that `answer` was chosen for, within the band of its difficulty.

    The middle of the band where the engine named a difficulty alone; `None` where it named neither.
    """
    band = _BANDS.get(answer.difficulty or "")
    if band is None:
        return None if answer.effort is None else round(answer.effort, 1)
    low, high = band
    if answer.effort is None:
        return (low + high) / 2
    # One decimal, as slots keep it: a slot that is read again is the one that was written.
    return round(min(max(answer.effort, low), high), 1)


def is_harder(effort: float | None, *, than: float | None) -> bool:
    """Whether an effort lies in a higher band than another; one that is not known is medium."""
    return _band(effort) > _band(than)


def is_hardest(effort: float | None) -> bool:
    """Whether nothing can be harder."""
    return not is_harder(_HIGHEST, than=effort)


def confidence_above(answer: EngineAnswer, than: float | None) -> float | None:
    """How sure `answer` is that the prompt takes more than the effort `than`; `None`: unknown.

    Probabilities of the classes say it of several classes together: a prompt that is medium or
    hard, one as likely as the other, surely takes more than an easy one.
    """
    if answer.difficulties is None:
        return answer.confidence
    return sum(answer.difficulties[_band(than) + 1 :])


def confidence_within(answer: EngineAnswer) -> float | None:
    """How sure `answer` is that the prompt takes no more than its difficulty says."""
    if answer.difficulties is None:
        return answer.confidence
    return sum(answer.difficulties[: _band(effort_of(answer)) + 1])


def reasoning_effort(levels: Sequence[str], effort: float | None) -> str | None:
    """The level for an effort, of `levels` from lowest to highest; `None` where either is unknown.

    Levels are spread evenly over the efforts; half-way between two, the higher one holds.
    """
    if not levels or effort is None:
        return None
    return levels[level_of(len(levels), effort)]


def level_of(levels: int, effort: float | None) -> int:
    """The index of the level for an effort; the lowest where the effort is not known."""
    share = 0.0 if effort is None else (effort - _LOWEST) / (_HIGHEST - _LOWEST)
    return min(max(int(share * (levels - 1) + 0.5), 0), levels - 1)


def _band(effort: float | None) -> int:
    if effort is None:
        return 1
    (_, easy), (medium, most), (hard, _) = _BANDS.values()
    return (effort > (easy + medium) / 2) + (effort > (most + hard) / 2)
