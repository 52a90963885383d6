"""Arithmetic of the effort rule: quality and bound as functions of a request's effort.

Effort is 1 (any model is right) to 5 (the best models often fail). A model has two anchors, its
success 0..1 at routine and at heavy work; quality lies between them in logits.
"""

from __future__ import annotations

import math
from typing import Final

STRONGEST_WHEN_HEAVY: Final = "capability_heavy"
"""The policy that gives up nothing on heavy work."""
HEAVY: Final = 3.4
"""The judged effort from which work is heavy. Chosen on folds that leave whole sources out: 79 % of
the light requests (1 and 2) are judged below it, and 90 % of the heavy ones (4 and 5) above."""
UNKNOWN_ROUTINE: Final = 0.9
"""The routine figure of all candidates if none has one."""

_LOW: Final = 4
_FLOOR: Final = 0.01


def logit(share: float) -> float:
    """Give a share as log odds; shares near 0 and 1 are clipped."""
    share = min(max(share, _FLOOR), 1.0 - _FLOOR)
    return math.log(share / (1.0 - share))


def mixed_quality(*, routine_logit: float, heavy_logit: float, weight: float) -> float:
    """Give the expected success, 0..1, on work that is `weight` (0..1) of the way to heavy."""
    return 1.0 / (1.0 + math.exp((weight - 1.0) * routine_logit - weight * heavy_logit))


def effort_weight(effort: float) -> float:
    """Give the weight of the heavy anchor, 0..1: the square of the way from effort 1 to 5.

    Effort 2 is close to routine (0.06), 3 a quarter of the way, 4 more than half (0.56).
    """
    way = (min(max(effort, 1.0), 5.0) - 1.0) / 4.0
    return way * way


def effort_bound(loss: float, *, policy: str, effort: float) -> float:
    """Give the quality that may be given up: all of the policy's `loss` at effort 1, none at 5.

    `STRONGEST_WHEN_HEAVY` keeps to its small loss up to heavy work, and then gives up nothing.
    """
    if policy == STRONGEST_WHEN_HEAVY:
        return loss if effort < HEAVY else 0.0
    return loss * (1.0 - effort_weight(effort))


def low_figure(figures: list[float]) -> float:
    """Give the figure for a candidate without one: the upper end of the others' lowest quarter."""
    return sorted(figures)[(len(figures) - 1) // _LOW]
