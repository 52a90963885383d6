"""From logits to an estimate: probabilities that hold on other sources, labels by thresholds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pointsman_server.core.engine_rules import DOMAINS
from pointsman_server.core.errors import ArtefactInvalid
from pointsman_server.engines.local.readers.estimate import DIFFICULTIES, RequestEstimate

_EASY, _MEDIUM, _HARD = DIFFICULTIES
_MOST = 30.0
_LEVELS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Slope and intercept of each binary logit, a temperature of the domains, thresholds.

    All were fitted to logits on sources that the weights had not seen, in a mix in which hard
    requests are as rare as in traffic.
    """

    above: tuple[tuple[float, float], ...]
    """For efforts above 1, 2, 3, 4."""
    domain_temperature: float
    needs_info: tuple[float, float]
    turn: tuple[float, float]
    hard: float
    """A request is hard from this probability of effort 4 or 5."""
    easy: float
    """One that is not hard is easy from this probability of effort 1 or 2,"""
    easy_below: float
    """provided that its probability of effort 4 or 5 is below this one."""

    @classmethod
    def of(cls, meta: Mapping[str, Any]) -> Calibration:
        """From an artefact's header. Raises `ArtefactInvalid`."""
        try:
            found = cls(
                above=tuple((float(a), float(b)) for a, b in meta["above"]),
                domain_temperature=float(meta["domain_temperature"]),
                needs_info=_pair(meta["needs_info"]),
                turn=_pair(meta["turn"]),
                hard=float(meta["hard"]),
                easy=float(meta["easy"]),
                easy_below=float(meta["easy_below"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ArtefactInvalid("its calibration cannot be read") from error
        if len(found.above) != _LEVELS - 1 or not found.domain_temperature > 0.0:
            raise ArtefactInvalid("its calibration does not fit the heads")
        return found

    def estimate(self, logits: Sequence[float]) -> RequestEstimate:
        """The estimate that eleven logits stand for."""
        shares, above = [], 1.0
        for (slope, intercept), logit in zip(self.above, logits, strict=False):
            # No effort is less probable than nothing.
            higher = min(_sigmoid(slope * logit + intercept), above)
            shares.append(above - higher)
            above = higher
        one, two, three, four = shares
        five = above
        classes = (one + two, three, four + five)
        is_easy = classes[0] >= self.easy and classes[2] < self.easy_below
        at = 2 if classes[2] >= self.hard else 0 if is_easy else 1
        domains = _softmax([logit / self.domain_temperature for logit in logits[4:9]])
        domain = domains.index(max(domains))
        return RequestEstimate(
            effort=(one, two, three, four, five),
            difficulty=DIFFICULTIES[at],
            difficulty_confidence=classes[at],
            domains=domains,
            domain=DOMAINS[domain],
            domain_confidence=domains[domain],
            needs_info=_sigmoid(self.needs_info[0] * logits[9] + self.needs_info[1]),
            turn=_sigmoid(self.turn[0] * logits[10] + self.turn[1]),
        )


def _pair(values: Sequence[float]) -> tuple[float, float]:
    slope, intercept = values
    return float(slope), float(intercept)


def _sigmoid(logit: float) -> float:
    # Comparisons take a third of the time of `min` and `max`.
    if logit > _MOST:
        logit = _MOST
    elif logit < -_MOST:
        logit = -_MOST
    return 1.0 / (1.0 + math.exp(-logit))


def _softmax(logits: Sequence[float]) -> tuple[float, ...]:
    top = max(logits)
    powers = [math.exp(logit - top) for logit in logits]
    total = sum(powers)
    return tuple([power / total for power in powers])
