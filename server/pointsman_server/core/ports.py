"""What the core asks of the world. Each has a contract suite that its adapters run."""

from __future__ import annotations

from typing import Protocol

from pointsman_server.core.model import Classification, EngineAnswer, EngineQuery
from pointsman_server.core.record import DecisionRecord


class DecisionEngine(Protocol):
    """Who decides, and each layer around one: caching, single flight, fallback are engines too."""

    async def decide(self, query: EngineQuery) -> EngineAnswer:
        """Pick one of `query.candidates`.

        Raises `EngineFailed`, or `EnginesFailed` where several were asked.
        """
        ...


class Classifier(Protocol):
    """Labels a prompt, whatever model it goes to."""

    async def classify(self, prompt: str) -> Classification:
        """Label `prompt` (non-blank, bounded). Raises `EngineFailed`."""
        ...


class DecisionCache(Protocol):
    """Keeps small values for a while. Values are opaque here; `core.entry` reads them."""

    async def get(self, key: bytes) -> bytes | None:
        """The value, or `None` where there is none or it expired. Raises `CacheFailed`."""
        ...

    async def put(self, key: bytes, value: bytes, *, ttl: float) -> None:
        """Keep `value` for `ttl` seconds, replacing what is there. Raises `CacheFailed`."""
        ...

    async def add(self, key: bytes, value: bytes, *, ttl: float) -> bytes | None:
        """Keep `value` unless there is one already; then return that. Raises `CacheFailed`."""
        ...

    async def aclose(self) -> None:
        """Let go of connections."""
        ...


class SwitchSource(Protocol):
    """Where runtime switches (`morph_router_enabled`, ...) are read from."""

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


class DecisionObserver(Protocol):
    """Is told of every decision after it was made. It must neither block nor raise."""

    def observe(self, record: DecisionRecord) -> None:
        """Take note of `record`."""
        ...
