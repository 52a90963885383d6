"""Classification by a decision model, beside a decision."""

from __future__ import annotations

from collections.abc import Callable

from pointsman_server.core.model import Classification
from pointsman_server.engines.decision_model.codec import DecisionModelCodec
from pointsman_server.engines.remote.caller import RemoteCaller


class DecisionModelClassifier:
    """Labels prompts by a decision model: a `Classifier`.

    `is_open` tells whether the engine's circuit is open: then no call is made. Its caller bounds
    how long a call takes.
    """

    def __init__(
        self,
        caller: RemoteCaller,
        codec: DecisionModelCodec,
        *,
        is_open: Callable[[], bool] = lambda: False,
    ) -> None:
        self._caller = caller
        self._codec = codec
        self._is_open = is_open

    async def classify(self, prompt: str) -> Classification:
        """Label `prompt`. Raises `EngineFailed`."""
        if self._is_open():
            raise self._caller.failed("circuit_open")
        body = await self._caller.call(self._codec.encode_prompt(prompt), deadline=None)
        labels = self._codec.classification(body)
        if labels is None:
            raise self._caller.failed("invalid_response")
        return labels
