"""Advice on reasoning effort, beside every answer."""

from __future__ import annotations

from dataclasses import replace

from pointsman_server.core.effort import effort_of, reasoning_effort
from pointsman_server.core.model import EngineAnswer, EngineQuery
from pointsman_server.core.ports import DecisionEngine


class EffortAdvice:
    """Adds the level of reasoning effort, of those that the catalog lists for the model."""

    def __init__(self, delegate: DecisionEngine) -> None:
        self._delegate = delegate

    async def decide(self, query: EngineQuery) -> EngineAnswer:
        """The delegate's answer. Raises what it raises."""
        answer = await self._delegate.decide(query)
        model = next((m for m in query.candidates if m.public_id == answer.model), None)
        if model is None or not model.reasoning_efforts:
            return answer
        level = reasoning_effort(model.reasoning_efforts, effort_of(answer))
        return replace(answer, reasoning_effort=level)
