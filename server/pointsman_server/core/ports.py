"""The ports of the core. Each has a contract suite that its adapters run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from pointsman_server.core.conversation_slot import ConversationSlot
from pointsman_server.core.decision_record import DecisionView
from pointsman_server.core.model import (
    Classification,
    EngineAnswer,
    EngineQuery,
    Prompt,
    SwitchValues,
)
from pointsman_server.core.preparation import Prepared, Recalled
from pointsman_server.core.turn import TurnReading


class DecisionEngine(Protocol):
    """An engine, or a layer around one: caching, single flight, fallback are engines too."""

    async def decide(self, query: EngineQuery) -> EngineAnswer:
        """Pick one of `query.candidates`.

        Raises `EngineFailed`, or `EnginesFailed` if several were called.
        """
        ...


class Classifier(Protocol):
    """Labels a prompt, independent of models."""

    async def classify(self, prompt: str) -> Classification:
        """Label `prompt` (non-blank, bounded). Raises `EngineFailed`."""
        ...


class DecisionCache(Protocol):
    """Keeps small values for a while. Values are opaque here; an `AnswerCodec` reads them.

    It never raises: a cache that fails is a cache that misses.
    """

    async def get(self, key: bytes) -> bytes | None:
        """The value, or `None` where there is none, it expired or the cache failed."""
        ...

    async def put(self, key: bytes, value: bytes, *, ttl: float) -> None:
        """Store `value` for `ttl` seconds, replacing an existing entry. Failures are counted."""
        ...

    async def add(self, key: bytes, value: bytes, *, ttl: float) -> bytes | None:
        """Keep `value` unless there is one already: then leave and return that."""
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...


class ConversationMemory(Protocol):
    """The memory of conversations: cached answers and slots.

    It never raises: a store that fails has forgotten.
    """

    async def recall(self, prepared: Prepared) -> Recalled:
        """The conversation's slot, and the answer cached for the request's key."""
        ...

    async def hold(self, key: bytes, answer: EngineAnswer) -> None:
        """Cache an answer that was weighed, in place of the engine's own."""
        ...

    async def note(
        self, conversation: bytes, slot: ConversationSlot, *, before: ConversationSlot | None
    ) -> None:
        """Write the slot where it changed."""
        ...


class TurnReader(Protocol):
    """Reads in this process, in a fraction of a millisecond, whether a prompt holds a task."""

    def read(self, prompt: str) -> TurnReading | None:
        """The reading; `None` where nothing can be read. Never raises."""
        ...


class AnswerCodec(Protocol):
    """Answers as the bytes that a cache keeps, and back."""

    def dump(self, answer: EngineAnswer) -> bytes:
        """`answer` without the fields of its request (`cached`, `failures`)."""
        ...

    def load(self, raw: bytes) -> EngineAnswer | None:
        """The answer, marked as cached; `None` where `raw` is none. Never raises."""
        ...


class SwitchSource(Protocol):
    """A source of feature flags (`morph_router_enabled`, ...)."""

    async def read(self, name: str) -> str | None:
        """The raw text of a switch; `None` where it is unset. Raises `SourceUnreadable`."""
        ...


class Clock(Protocol):
    """Time as an input. Seconds."""

    def monotonic(self) -> float:
        """For measuring and for deadlines; never goes back."""
        ...

    def time(self) -> float:
        """Since the epoch; for log lines and ids."""
        ...


class Switches(Protocol):
    """Runtime switches as the decision path reads them: remembered, and closed on failure."""

    async def current(self) -> SwitchValues:
        """The current values. Never raises."""
        ...


class ClassificationLeg(Protocol):
    """Runs a classifier beside a decision, so that neither waits for the other."""

    def beside(
        self, prompt: Prompt, *, remote: bool = False
    ) -> AbstractAsyncContextManager[Callable[[], Classification | None]]:
        """Start on entry; on exit cancel unfinished work.

        The value returns the classification if it is ready. It never waits and never raises.

        `remote`: the prompt may be sent to a remote classifier, if there is one.
        """
        ...


class DecisionObserver(Protocol):
    """Observer of every decision. It must neither block nor raise."""

    def on_decision(self, view: DecisionView) -> None:
        """Observe it. Store only its `materialise()`."""
        ...
