"""A scripted Morph: the product's own Morph-compatible endpoint with its testing switch on."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from pointsman_server.core.model import Classification, EngineAnswer, EngineQuery, Source
from pointsman_server.fault_injection import Call, FaultInjection, FaultScript
from pointsman_server.morph_api import FixedKeys, Listening, build_app, serve

ANSWER = {"json": {"model": "gpt-5.5"}}


class FirstModel:
    """Answers with the first candidate; only there to be replaced by the script."""

    async def decide(self, query: EngineQuery) -> EngineAnswer:
        first = query.candidates[0]
        return EngineAnswer(
            source=Source.LOCAL, model=first.public_id, router_model=first.router_id or ""
        )

    async def classify(self, prompt: str) -> Classification:
        return Classification()


class ScriptedMorph:
    """Listens on `port` (0: a free one); answers `gpt-5.5` until told otherwise."""

    def __init__(self, *, keys: tuple[str, ...] = ("key",), port: int = 0) -> None:
        self._keys = keys
        self._port = port
        self._faults = FaultScript([ANSWER | {"times": -1}])
        self._listening: Listening | None = None

    async def __aenter__(self) -> Self:
        engine = FirstModel()
        app = build_app(
            engine=engine,
            classifier=engine,
            models={},
            keys=FixedKeys(self._keys),
            faults=FaultInjection(self._faults),
        )
        self._listening = await serve(app, port=self._port, grace=0.1)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._listening is not None
        await self._listening.aclose()

    @property
    def url(self) -> str:
        assert self._listening is not None
        return self._listening.url

    @property
    def calls(self) -> tuple[Call, ...]:
        """The calls since the last `forget`, oldest first."""
        return self._faults.calls

    def forget(self) -> None:
        """Forget the calls."""
        self._faults.forget()

    def script(self, step: Mapping[str, Any] | None = None) -> None:
        """What the next calls meet: one step of the testing switch, for ever."""
        self._faults.load([dict(step or ANSWER) | {"times": -1}])
