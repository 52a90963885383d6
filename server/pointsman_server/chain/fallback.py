"""Engines in order: the first that answers decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pointsman_server.core.errors import EngineFailed, EnginesFailed
from pointsman_server.core.model import EngineAnswer, EngineFailure, EngineQuery
from pointsman_server.core.ports import DecisionEngine


class Fallback:
    """Asks the engines that are in force for the query, one after the other."""

    def __init__(self, delegates: Mapping[str, DecisionEngine]) -> None:
        self._delegates = dict(delegates)

    async def decide(self, query: EngineQuery) -> EngineAnswer:
        """The first answer, with the failures before it. Raises `EnginesFailed`."""
        failures: list[EngineFailure] = []
        for name in query.engines:
            try:
                answer = await self._delegates[name].decide(query)
            except EngineFailed as error:
                failures.append(error.failure)
            else:
                return _stand_in(answer, failures) if failures else answer
        raise EnginesFailed(failures)


def _stand_in(answer: EngineAnswer, failures: Sequence[EngineFailure]) -> EngineAnswer:
    return replace(answer, failures=tuple(failures), stand_in=True)
