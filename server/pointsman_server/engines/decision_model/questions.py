"""The questions of one request, and the estimate from their answers.

A question has ordered options; its answer is one probability for each, in the same order, in both
wire formats. `confidence` is never read: servers define it in different ways.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto

from pointsman_server.core.engine_rules import DOMAINS, DecisionModelRules, YesNoQuestion
from pointsman_server.engines.local.readers import DIFFICULTIES, RequestEstimate

SUM_TOLERANCE = 0.05
"""The allowed difference of a sum of probabilities from 1: servers round them."""
_REVERSED = "_reversed"

Probabilities = tuple[float, ...]


class QuestionKind(Enum):
    """The kind of a question's options."""

    SCALE = auto()
    CHOICE = auto()
    YES_NO = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One typed question."""

    name: str
    kind: QuestionKind
    instructions: str
    options: tuple[tuple[str, str], ...]
    """Label and description, in order."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the options, each once."""
        return tuple(label for label, _ in self.options)


def build_questions(rules: DecisionModelRules) -> tuple[Question, ...]:
    """Build the four questions; `average_orders` adds effort and domain with reversed options."""
    texts = rules.questions
    effort = Question(
        name="effort",
        kind=QuestionKind.SCALE,
        instructions=texts.effort.instructions,
        options=_levels(texts.effort.levels),
    )
    domain = Question(
        name="domain",
        kind=QuestionKind.CHOICE,
        instructions=texts.domain.instructions,
        options=texts.domain.options(),
    )
    questions = (
        effort,
        domain,
        _yes_no("needs_info", texts.needs_info),
        _yes_no("turn", texts.turn),
    )
    if not rules.average_orders:
        return questions
    return (*questions, _reversed(effort), _reversed(domain))


def estimate_of(answers: Mapping[str, Sequence[float]]) -> RequestEstimate | None:
    """Combine the answers by question name; `None` if one is missing or no distribution.

    Difficulty and domain are the most probable ones.
    """
    effort, domains = _averaged(answers, "effort"), _averaged(answers, "domain")
    needs_info, turn = _share(answers.get("needs_info")), _share(answers.get("turn"))
    if effort is None or domains is None or needs_info is None or turn is None:
        return None
    one, two, three, four, five = effort
    difficulty = _likeliest(DIFFICULTIES, (one + two, three, four + five))
    domain = _likeliest(DOMAINS, domains)
    return RequestEstimate(
        effort=(one, two, three, four, five),
        difficulty=difficulty[0],
        difficulty_confidence=difficulty[1],
        domains=domains,
        domain=domain[0],
        domain_confidence=domain[1],
        needs_info=needs_info,
        turn=turn,
    )


def _likeliest(labels: Sequence[str], chances: Sequence[float]) -> tuple[str, float]:
    at = max(range(len(chances)), key=chances.__getitem__)
    return labels[at], min(chances[at], 1.0)


def _averaged(answers: Mapping[str, Sequence[float]], name: str) -> Probabilities | None:
    forward = _distribution(answers.get(name))
    if forward is None or name + _REVERSED not in answers:
        return forward
    backward = _distribution(answers[name + _REVERSED])
    if backward is None:
        return None
    return tuple((a + b) / 2 for a, b in zip(forward, reversed(backward), strict=True))


def _distribution(given: Sequence[float] | None) -> Probabilities | None:
    """`given` scaled to add up to 1; `None` if it is not a distribution."""
    if given is None or not all(0.0 <= p <= 1.0 for p in given):  # also refuses NaN
        return None
    total = math.fsum(given)
    if not abs(total - 1.0) <= SUM_TOLERANCE:
        return None
    return tuple(p / total for p in given)


def _share(given: Sequence[float] | None) -> float | None:
    if given is None or len(given) != 1 or not 0.0 <= given[0] <= 1.0:
        return None
    return given[0]


def _levels(texts: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Split each level `label: description`; keep it whole where the labels would not differ."""
    split = [(text.partition(": ")[0], text.partition(": ")[2]) for text in texts]
    if len({label for label, _ in split}) < len(split):
        return tuple((text, "") for text in texts)
    return tuple(split)


def _yes_no(name: str, texts: YesNoQuestion) -> Question:
    return Question(
        name=name,
        kind=QuestionKind.YES_NO,
        instructions=texts.instructions,
        options=(("true", texts.yes), ("false", texts.no)),
    )


def _reversed(question: Question) -> Question:
    return replace(
        question, name=question.name + _REVERSED, options=tuple(reversed(question.options))
    )
