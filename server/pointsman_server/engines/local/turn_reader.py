"""The reader of turns: phrases and shapes of pastes first, then the request reader's estimate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pointsman_server.core.turn import NO_TASK_FROM, TurnReading
from pointsman_server.engines.local.readers import RequestEstimate
from pointsman_server.engines.local.turns import LexicalTurnReader

LONGEST: Final = 160
"""Characters of a prompt that is estimated. Longer turns without a task are pastes, which the
lexical reader knows by their shape."""


class LocalTurnReader:
    """Reads turns in every language; `estimate` takes some 0.2 ms, and only for short prompts."""

    def __init__(self, estimate: Callable[[str], RequestEstimate]) -> None:
        self._lexical = LexicalTurnReader()
        self._estimate = estimate

    def read(self, prompt: str) -> TurnReading | None:
        """The reading; `None` where the prompt has neither a letter nor a digit."""
        reading = self._lexical.read(prompt)
        if reading is None or reading.turn or reading.needs_info or len(prompt) > LONGEST:
            return reading
        found = self._estimate(prompt)
        is_task = self._lexical.is_surely_task(prompt) or (
            found.turn >= NO_TASK_FROM and self._asks_before_a_colon(prompt)
        )
        return TurnReading(
            turn=0.0 if is_task else found.turn,
            needs_info=0.0 if is_task else found.needs_info,
            effort=found.expected_effort,
            estimate=found,
        )

    def _asks_before_a_colon(self, prompt: str) -> bool:
        """Whether a task stands before a colon, whatever the code or text behind it looks like."""
        task, colon, rest = prompt.replace("\uff1a", ": ").partition(": ")
        return (
            bool(colon)
            and not task.isdecimal()
            and self._lexical.says_something(task)
            and self._lexical.says_something(rest)
            and self._estimate(task).turn < NO_TASK_FROM
        )
