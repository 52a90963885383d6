"""Error boundary of one engine: every result is an answer or a failure stage."""

from __future__ import annotations

import logging

from pointsman_server.core.candidates import contains_answer
from pointsman_server.core.errors import EngineFailed
from pointsman_server.core.model import EngineAnswer, EngineFailure, EngineQuery
from pointsman_server.core.ports import DecisionEngine
from pointsman_server.lib.safe_traceback import frames_of

INVALID_RESPONSE = "invalid_response"
UNEXPECTED_ERROR = "unexpected_error"

_log = logging.getLogger(__name__)


class ErrorBoundary:
    """Checks answers against the request's candidates and lets no exception through."""

    def __init__(self, delegate: DecisionEngine, *, name: str) -> None:
        self._delegate = delegate
        self._name = name

    async def decide(self, query: EngineQuery) -> EngineAnswer:
        """The delegate's answer. Raises nothing but `EngineFailed`."""
        try:
            answer = await self._delegate.decide(query)
        except EngineFailed:
            raise
        except Exception as error:  # noqa: BLE001  (the wall that this room is for)
            # Frames only: the text of a foreign exception may quote the prompt or the key.
            frames = frames_of(error)
            _log.error("engine %s raised %s\n%s", self._name, type(error).__name__, frames)
            raise self._failed(UNEXPECTED_ERROR) from None
        if not contains_answer(answer, query.candidates):
            raise self._failed(INVALID_RESPONSE)
        return answer

    def _failed(self, stage: str) -> EngineFailed:
        return EngineFailed(EngineFailure(engine=self._name, stage=stage))
