"""The routes `multimodel` and `classify`, and the selection behind all routes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, TypeVar

from aiohttp import web

from pointsman_server.core.errors import EngineFailed
from pointsman_server.core.model import (
    CatalogModel,
    Classification,
    EngineFailure,
    EngineQuery,
    Source,
)
from pointsman_server.core.ports import Classifier, DecisionEngine
from pointsman_server.http_api.json_bodies import json_response, read_json
from pointsman_server.http_api.limits import Limits
from pointsman_server.morph_api import answers
from pointsman_server.morph_api.offer import Offer
from pointsman_server.morph_api.wire import RouteBody, classify_body, route_body

log = logging.getLogger(__name__)

T = TypeVar("T")

_EFFORTS = {"easy": 1.5, "medium": 3.0, "hard": 4.5}
"""The effort that a difficulty stands for, where an engine gives none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """The model for one prompt."""

    model: str
    """Under the request's name for it."""
    effort: float
    """Expected effort of the prompt, 1 to 5."""
    record: dict[str, Any]
    """The body of `multimodel`."""


class Endpoints:
    """The routes over one engine, one classifier and one catalog."""

    def __init__(
        self, *, engine: DecisionEngine, classifier: Classifier, offer: Offer, limits: Limits
    ) -> None:
        self._engine = engine
        self._classifier = classifier
        self._offer = offer
        self._limits = limits

    async def multimodel(self, request: web.Request) -> web.Response:
        """`POST /v1/router/multimodel`: select one of the models."""
        body = route_body(await read_json(request, limits=self._limits), limits=self._limits)
        return json_response((await self.select(body)).record)

    async def classify(self, request: web.Request) -> web.Response:
        """`POST /v1/router/classify`: return labels of the prompt."""
        body = classify_body(await read_json(request, limits=self._limits), limits=self._limits)
        labels = await self.labels(body.prompt)
        return json_response(answers.classifications(labels, heads=body.heads))

    async def select(self, body: RouteBody) -> Selected:
        """Select one of the models that `body` allows. Raises `EngineFailed`."""
        candidates = self._offer.candidates(body)
        if len(candidates) == 1:
            return await self._only_choice(body, candidates[0])
        return await self._choice(body, candidates)

    async def labels(self, prompt: str) -> Classification:
        """Label `prompt`. Raises `EngineFailed`."""
        return await self._within(self._classifier.classify(prompt))

    async def _choice(self, body: RouteBody, candidates: tuple[CatalogModel, ...]) -> Selected:
        query = EngineQuery(
            prompt=body.prompt,
            candidates=candidates,
            policy=body.policy,
            default=self._offer.default(body, candidates),
            engines=(Source.LOCAL,),
            deadline=time.monotonic() + self._limits.engine_seconds,
        )
        answer = await self._within(self._engine.decide(query))
        model = query.by_router_id(answer.router_model)
        if model is None:
            raise EngineFailed(EngineFailure(engine=answer.source, stage="invalid_response"))
        return Selected(
            model=answer.router_model,
            effort=_effort(answer.effort, difficulty=answer.difficulty),
            record=answers.decision(answer, provider=self._offer.provider(model)),
        )

    async def _only_choice(self, body: RouteBody, model: CatalogModel) -> Selected:
        """With one model there is no decision to make, and labels that fail cost no answer."""
        try:
            labels = await self.labels(body.prompt)
        except EngineFailed as error:
            log.warning("answered without labels: %s", error)
            labels = Classification()
        name = model.router_id or model.public_id
        difficulty = labels.difficulty.label if labels.difficulty is not None else None
        return Selected(
            model=name,
            effort=_effort(None, difficulty=difficulty),
            record=answers.only_choice(name, provider=self._offer.provider(model), labels=labels),
        )

    async def _within(self, answer: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self._limits.engine_seconds):
                return await answer
        except TimeoutError:
            raise EngineFailed(EngineFailure(engine=Source.LOCAL, stage="timeout")) from None


def _effort(effort: float | None, *, difficulty: str | None) -> float:
    return _EFFORTS.get(difficulty or "", _EFFORTS["medium"]) if effort is None else effort
