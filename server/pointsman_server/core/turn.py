"""Classify turns: turns with a task are decided, others are not."""

from __future__ import annotations

from enum import StrEnum

from pointsman_server.core.model import Prompt, Reason
from pointsman_server.core.value import value

PROBE_TOKENS = 16
"""A request that lets the model write no more than this is a probe."""
NO_TASK_FROM = 0.5
"""The probability of no task from which nobody is called. Of short labelled requests above it, most
have none; a task that counts as such a turn stays on the model of its conversation."""
AMBIGUOUS_FROM = 0.9
"""The probability of an ambiguous prompt from which nobody is called."""


class Turn(StrEnum):
    """The kind of a turn."""

    TASK = "task"
    """To be decided."""
    NO_TASK = "no_task"
    """Confirms, greets, continues or probes; or says nothing that can be read."""
    AMBIGUOUS = "ambiguous"
    """A task that nobody can size without asking."""
    UNDECIDED = "undecided"
    """No task that decides for a conversation, under a stickiness that decides every turn."""

    @property
    def decides_nothing(self) -> bool:
        """Whether no engine is called for it."""
        return self in {Turn.NO_TASK, Turn.AMBIGUOUS}

    @property
    def reason(self) -> Reason:
        """The reason for serving the static pick without an engine call."""
        return Reason.AMBIGUOUS if self is Turn.AMBIGUOUS else Reason.NO_TASK


@value(kw_only=True)
class TurnReading:
    """A reader's estimate of a prompt. Probabilities are 0 to 1."""

    turn: float
    """Probability of no task: "yes", "go on", a bare paste of output."""
    needs_info: float
    """That nobody can size it without asking."""
    effort: float | None = None
    """Expected effort, 1 to 5; `None`: not estimated."""
    estimate: object | None = None
    """The reader's own estimate, for the engine that reads with it: a prompt is read once."""


def is_probe(prompt: Prompt) -> bool:
    """Whether the request only probes: it leaves no room for an answer to a task."""
    most = prompt.max_output_tokens
    return most is not None and most <= PROBE_TOKENS


def turn_of(prompt: Prompt, reading: TurnReading | None) -> Turn:
    """The kind of the turn; `reading` is `None` for a prompt without readable text."""
    if is_probe(prompt) or reading is None or reading.turn >= NO_TASK_FROM:
        return Turn.NO_TASK
    return Turn.AMBIGUOUS if reading.needs_info >= AMBIGUOUS_FROM else Turn.TASK
