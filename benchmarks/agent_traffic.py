"""A day of agent traffic: conversations of tasks, tool loops, small talk, compactions, sub-agents.

Made from a seed and the shares of `Habits`; the same seed makes the same day.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

SMALL_TALK = ("yes", "ok", "go on", "continue", "sounds good", "thanks")
GREETINGS = ("hi", "hello", "good morning")


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """What people and their agents do."""

    conversations: int = 1_000
    turns: float = 8.0
    """Mean turns of a person in a conversation (geometric)."""
    greets: float = 0.1
    """Share of conversations that begin with a greeting."""
    talks: float = 0.2
    """Share of later turns without a task."""
    hard: float = 0.09
    """Share of tasks that are hard: as in the requests of real work that the embedded engine is
    measured on."""
    medium: float = 0.25
    loop: float = 8.0
    """Mean requests of the tool loop behind a task (geometric): one prompt, more messages."""
    head: int = 18_000
    """Tokens of system prompt and tools, in every context."""
    step: int = 1_500
    """Tokens that a step of a tool loop adds."""
    window: int = 150_000
    """Tokens of context at which the agent compacts it."""
    compacted: int = 24_000
    summarizes: bool = True
    """Whether a compaction replaces the messages by a summary, as agents do. Else it takes tokens
    alone, and the count of messages and the first prompt stay."""
    spawns: float = 0.15
    """Share of tasks that start a sub-agent: an easy task and its tool loop."""
    sure: float = 0.8
    """Share of tasks whose difficulty the engine names rightly, with confidence 0.9; of the others
    it names a neighbouring one, with 0.5."""
    spread: bool = False
    """Whether conversations and tool loops have lengths as spread as in TraceLab's 4,300 sessions
    of Claude Code and Codex (arXiv 2606.30560), instead of geometric ones with the means above."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request of the day, and what the engine would say of it."""

    session: int
    agent: str
    prompt: str
    first: str
    """The first prompt that is still in the context."""
    difficulty: str
    """The true one; empty: the turn holds no task."""
    says: str
    confidence: float
    messages: int
    tokens: int
    """Of context."""
    reset: bool
    ends_turn: bool
    """Whether the answer is for a person rather than a tool call."""


def make_day(habits: Habits, *, seed: int) -> Iterator[Ask]:
    """The requests, conversation by conversation: they do not meet."""
    dice = random.Random(seed)
    for session in range(habits.conversations):
        yield from _Conversation(session, habits, dice).asks()


class _Conversation:
    def __init__(self, session: int, habits: Habits, dice: random.Random) -> None:
        self._session = session
        self._habits = habits
        self._dice = dice
        self._tokens = habits.head
        self._messages = 0
        self._first = ""
        self._reset = False

    def asks(self) -> Iterator[Ask]:
        dice, habits = self._dice, self._habits
        if dice.random() < habits.greets:
            yield self._ask(dice.choice(GREETINGS), "", ends_turn=True)
        for turn in range(_turns(dice, habits)):
            if turn and dice.random() < habits.talks:
                yield from self._loop(dice.choice(SMALL_TALK), "")
            else:
                yield from self._task(turn)

    def _task(self, turn: int) -> Iterator[Ask]:
        dice, habits = self._dice, self._habits
        roll = dice.random()
        hard, medium = habits.hard, habits.hard + habits.medium
        difficulty = "hard" if roll < hard else "medium" if roll < medium else "easy"
        yield from self._loop(f"Task {self._session}.{turn}: a {difficulty} one.", difficulty)
        if dice.random() < habits.spawns:
            agent = _Conversation(self._session, habits, dice)
            name = f"agent-{turn}"
            yield from agent._loop(f"Look up {self._session}.{turn}.", "easy", agent=name)

    def _loop(self, prompt: str, difficulty: str, *, agent: str = "") -> Iterator[Ask]:
        habits, dice = self._habits, self._dice
        says, confidence = _said(difficulty, habits, dice)
        for left in reversed(range(_requests(dice, habits))):
            yield self._ask(prompt, difficulty, says, confidence, ends_turn=left == 0, agent=agent)

    def _ask(
        self,
        prompt: str,
        difficulty: str,
        says: str = "easy",
        confidence: float = 0.9,
        *,
        ends_turn: bool,
        agent: str = "",
    ) -> Ask:
        self._messages += 2
        self._tokens += self._habits.step
        self._first = self._first or prompt
        self._reset = self._tokens > self._habits.window
        if self._reset:
            self._tokens = self._habits.compacted
        if self._reset and self._habits.summarizes:
            # The first words of a person are then those behind the summary.
            self._messages, self._first = 2, prompt
        return Ask(
            session=self._session,
            agent=agent,
            prompt=prompt,
            first=self._first,
            difficulty=difficulty,
            says=says,
            confidence=confidence,
            messages=self._messages,
            tokens=self._tokens,
            reset=self._reset,
            ends_turn=ends_turn,
        )


def _said(difficulty: str, habits: Habits, dice: random.Random) -> tuple[str, float]:
    """What the engine says of a prompt: of small talk, that it is easy."""
    if not difficulty:
        return "easy", 0.9
    if dice.random() < habits.sure:
        return difficulty, 0.9
    near = {"easy": ("medium",), "medium": ("easy", "hard"), "hard": ("medium",)}
    return dice.choice(near[difficulty]), 0.5


def _turns(dice: random.Random, habits: Habits) -> int:
    if habits.spread:
        # The trace: 1 at the median, 18 at p90, 137 at p99, 9.2 on average.
        return math.ceil(dice.weibullvariate(1.5, 0.34)) or 1
    return _geometric(dice, habits.turns)


def _requests(dice: random.Random, habits: Habits) -> int:
    if habits.spread:
        # Steps of tools: 0 at p25, 1 at the median, 20 at p90, 86 at p99, 7.8 on average.
        return 1 + int(dice.weibullvariate(3.6, 0.475))
    return _geometric(dice, habits.loop)


def _geometric(dice: random.Random, mean: float) -> int:
    """At least 1, and `mean` on average."""
    count = 1
    while dice.random() > 1.0 / mean:
        count += 1
    return count
