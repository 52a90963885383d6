"""Bulkhead: a limit on an engine's concurrent calls, shared by callers."""

from __future__ import annotations

import time
from collections.abc import Callable

from pointsman_server.chain.circuit_breaker import CIRCUIT_OPEN
from pointsman_server.core.errors import EngineFailed
from pointsman_server.core.fair_share import WORK, FairShare
from pointsman_server.core.model import EngineAnswer, EngineFailure, EngineQuery
from pointsman_server.core.ports import DecisionEngine

ACTIVE_SECONDS = 10.0
"""Seconds after its latest call for which a caller counts as active."""


class Bulkhead:
    """Admits at most `limit` concurrent calls; further ones fail at once, as at an open circuit.

    For the caller the two are the same: this engine is not called, and the next one is. One active
    caller may take every place; of several each has a share. `on_refused` counts refused calls by
    the engine's name.
    """

    def __init__(
        self,
        delegate: DecisionEngine,
        *,
        name: str,
        limit: int,
        on_refused: Callable[[str], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._delegate = delegate
        self._name = name
        self._on_refused = on_refused
        self._now = now
        self._places = FairShare(limit)
        self._active: dict[str | None, float] = {}
        """When each active caller last called, the longest ago first."""
        self.limit = limit

    @property
    def inside(self) -> int:
        """Calls in flight."""
        return self._places.taken

    async def decide(self, query: EngineQuery) -> EngineAnswer:
        """Return the delegate's answer. Raises `EngineFailed`, at once if no place is free."""
        caller = WORK.get().caller
        if not self._admits(caller):
            self._on_refused(self._name)
            raise EngineFailed(EngineFailure(engine=self._name, stage=CIRCUIT_OPEN))
        try:
            return await self._delegate.decide(query)
        finally:
            self._places.leave(caller)

    def _admits(self, caller: str | None) -> bool:
        now = self._now()
        self._active.pop(caller, None)
        self._active[caller] = now
        while now - self._active[oldest := next(iter(self._active))] > ACTIVE_SECONDS:
            del self._active[oldest]
        if self._places.take(caller):
            return True
        if len(self._active) > 1 or self.inside >= self.limit:
            return False
        self._places.add(caller)
        return True
