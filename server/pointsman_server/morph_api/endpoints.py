"""The routes: read the body, call the engine or classifier, return JSON."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable
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
from pointsman_server.morph_api import answers
from pointsman_server.morph_api.errors import Refused
from pointsman_server.morph_api.limits import Limits
from pointsman_server.morph_api.offer import Offer
from pointsman_server.morph_api.wire import RouteBody, classify_body, parse_json, route_body

log = logging.getLogger(__name__)

T = TypeVar("T")


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
        body = route_body(await self._json(request), limits=self._limits)
        candidates = self._offer.candidates(body)
        if len(candidates) == 1:
            answer = await self._only_choice(body, candidates[0])
        else:
            answer = await self._choice(body, candidates)
        return json_response(answer)

    async def classify(self, request: web.Request) -> web.Response:
        """`POST /v1/router/classify`: return labels of the prompt."""
        body = classify_body(await self._json(request), limits=self._limits)
        labels = await self._within(self._classifier.classify(body.prompt))
        return json_response(answers.classifications(labels, heads=body.heads))

    async def health(self, _: web.Request) -> web.Response:
        """`GET /health`: the process answers."""
        return json_response({"status": "ok"})

    async def _choice(
        self, body: RouteBody, candidates: tuple[CatalogModel, ...]
    ) -> dict[str, Any]:
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
        return answers.decision(answer, provider=self._offer.provider(model))

    async def _only_choice(self, body: RouteBody, model: CatalogModel) -> dict[str, Any]:
        """With one model there is no decision to make, and labels that fail cost no answer."""
        try:
            labels = await self._within(self._classifier.classify(body.prompt))
        except EngineFailed as error:
            log.warning("answered without labels: %s", error)
            labels = Classification()
        name = model.router_id or model.public_id
        return answers.only_choice(name, provider=self._offer.provider(model), labels=labels)

    async def _within(self, answer: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self._limits.engine_seconds):
                return await answer
        except TimeoutError:
            raise EngineFailed(EngineFailure(engine=Source.LOCAL, stage="timeout")) from None

    async def _json(self, request: web.Request) -> object:
        if request.content_type != "application/json":
            raise Refused(
                415,
                code="unsupported_media_type",
                message="send the body as 'Content-Type: application/json'",
            )
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                return parse_json(await request.read())
        except TimeoutError:
            raise Refused(408, code="body_too_slow", message="the body did not arrive") from None


def json_response(
    body: object, *, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    """`body` as compact JSON in UTF-8."""
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    return web.Response(
        body=text.encode("utf-8", "replace"),
        status=status,
        headers=headers,
        content_type="application/json",
        charset="utf-8",
    )
