"""Routes of `@morphllm/morphsdk`: `POST /v1/router/{openai,anthropic,gemini,raw}`.

Body `{input, mode}`, answer `{model}`, or `{difficulty}` from `raw`. Source: the package's code,
0.2.196.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from pointsman_server.core.errors import FieldViolation, InvalidRequest
from pointsman_server.core.model import CatalogModel
from pointsman_server.http_api.json_bodies import json_response, read_json
from pointsman_server.http_api.limits import Limits
from pointsman_server.morph_api.endpoints import Endpoints, Selected
from pointsman_server.morph_api.offer import vendor_provider
from pointsman_server.morph_api.wire import ProviderBody, RouteBody, provider_body

_LEAST, _MOST = 1.0, 5.0
"""Bounds of effort."""


class ProviderRoutes:
    """Selects among one provider's models of the catalog."""

    def __init__(
        self, endpoints: Endpoints, *, models: Mapping[str, CatalogModel], limits: Limits
    ) -> None:
        self._endpoints = endpoints
        self._limits = limits
        self._models = models
        self._by_provider: dict[str, tuple[str, ...]] = {}
        for router_id, model in models.items():
            if not model.experimental:
                name = vendor_provider(model.provider)
                self._by_provider[name] = (*self._by_provider.get(name, ()), router_id)

    def select(self, provider: str) -> Callable[[web.Request], Awaitable[web.Response]]:
        """Build the handler of `POST /v1/router/{provider}`."""

        async def handler(request: web.Request) -> web.Response:
            body = await self._body(request)
            names = self._by_provider.get(provider)
            if names is None:
                message = f"the catalog has no models of {provider}"
                raise InvalidRequest([FieldViolation("provider", message)])
            selected = await self._endpoints.select(_between(names, body))
            return json_response({"model": self._name(selected)})

        return handler

    async def raw(self, request: web.Request) -> web.Response:
        """`POST /v1/router/raw`: the prompt's difficulty."""
        body = await self._body(request)
        labels = await self._endpoints.labels(body.prompt)
        difficulty = labels.difficulty.label if labels.difficulty is not None else "medium"
        return json_response({"difficulty": difficulty})

    async def _body(self, request: web.Request) -> ProviderBody:
        return provider_body(await read_json(request, limits=self._limits), limits=self._limits)

    def _name(self, selected: Selected) -> str:
        """Append the effort, as in `gpt-5-low`, where the catalog lists efforts for the model."""
        model = selected.model
        efforts = self._models[model].reasoning_efforts
        if not efforts:
            return model
        way = (min(max(selected.effort, _LEAST), _MOST) - _LEAST) / (_MOST - _LEAST)
        return f"{model}-{efforts[min(int(way * len(efforts)), len(efforts) - 1)]}"


def _between(names: tuple[str, ...], body: ProviderBody) -> RouteBody:
    return RouteBody(
        prompt=body.prompt,
        allowed_models=names,
        allowed_providers=None,
        policy=body.policy,
        default_model=None,
    )
