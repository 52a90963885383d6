"""Probabilities for the questions that engine `decision_model` asks, by the embedded reader.

A question is known by its name: `effort`, `domain`, `needs_info`, `turn`, and the first two with
`_reversed`. Nothing else can be answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pointsman_server.core.engine_rules import DOMAINS

REVERSED = "_reversed"


class PromptEstimate(Protocol):
    """A reader's estimate of one prompt; `engines.local.readers.RequestEstimate` is one."""

    @property
    def effort(self) -> Sequence[float]:
        """Probability of each effort, the lowest first."""
        ...

    @property
    def domains(self) -> Sequence[float]:
        """Probability of each of `DOMAINS`."""
        ...

    @property
    def needs_info(self) -> float:
        """Probability that the prompt cannot be sized without asking first."""
        ...

    @property
    def turn(self) -> float:
        """Probability that the prompt carries no task."""
        ...


class PromptReader(Protocol):
    """Estimates prompts; `engines.local.LocalEngine` is one."""

    def estimate(self, prompt: str) -> PromptEstimate:
        """Estimate `prompt`: any string."""
        ...


def yes_no(name: str, estimate: PromptEstimate) -> float | None:
    """The probability of yes; `None` for a question that is not known."""
    return {"needs_info": estimate.needs_info, "turn": estimate.turn}.get(name)


def choice(name: str, options: Sequence[str], estimate: PromptEstimate) -> list[float] | None:
    """A probability for each option; `None` for a question that is not known."""
    if name.removesuffix(REVERSED) != "domain" or sorted(options) != sorted(DOMAINS):
        return None
    known = dict(zip(DOMAINS, estimate.domains, strict=True))
    return [known[option] for option in options]


def scale(name: str, levels: int, estimate: PromptEstimate) -> list[float] | None:
    """A probability for each level; `None` for a question that is not known."""
    if name.removesuffix(REVERSED) != "effort" or levels != len(estimate.effort):
        return None
    chances = list(estimate.effort)
    return chances[::-1] if name.endswith(REVERSED) else chances


def confidence(chances: Sequence[float]) -> float:
    """The height of the peak above chance, 0 to 1: (n * peak - 1) / (n - 1)."""
    count = len(chances)
    return max((count * max(chances) - 1) / (count - 1), 0.0)


def expected(chances: Sequence[float]) -> float:
    """The expected level, from 0."""
    return sum(level * chance for level, chance in enumerate(chances))
