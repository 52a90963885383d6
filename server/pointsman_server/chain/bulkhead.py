"""A bound on an engine's calls: one that hangs holds so many callers, and no more."""

from __future__ import annotations

from collections.abc import Callable

from pointsman_server.chain.circuit_breaker import CIRCUIT_OPEN
from pointsman_server.core.errors import EngineFailed
from pointsman_server.core.model import EngineAnswer, EngineFailure, EngineQuery
from pointsman_server.core.ports import DecisionEngine


class Bulkhead:
    """Limits concurrent calls to `limit`; further ones fail at once, as with an open circuit.

    For the caller both are the same: the engine is not called, and the next one is. `on_refused`
    gets the engine's name and counts refusals separately.
    """

    def __init__(
        self,
        delegate: DecisionEngine,
        *,
        name: str,
        limit: int,
        on_refused: Callable[[str], None],
    ) -> None:
        self._delegate = delegate
        self._name = name
        self._on_refused = on_refused
        self.limit = limit
        self.inside = 0
        """Calls under way."""

    async def decide(self, query: EngineQuery) -> EngineAnswer:
        """The delegate's answer, or `circuit_open` at once. A caller who leaves frees a place."""
        if self.inside >= self.limit:
            self._on_refused(self._name)
            raise EngineFailed(EngineFailure(engine=self._name, stage=CIRCUIT_OPEN))
        self.inside += 1
        try:
            return await self._delegate.decide(query)
        finally:
            self.inside -= 1
