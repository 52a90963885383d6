"""Assemble the Morph-compatible endpoint."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web
from opentelemetry.trace import Tracer

from pointsman_server.core.model import CatalogModel
from pointsman_server.core.ports import Classifier, DecisionEngine
from pointsman_server.http_api.app import FaultRoutes, build_endpoint
from pointsman_server.http_api.keys import KeySource
from pointsman_server.http_api.limits import Limits
from pointsman_server.morph_api.endpoints import Endpoints
from pointsman_server.morph_api.offer import Offer
from pointsman_server.morph_api.provider_routes import ProviderRoutes

ROUTER = "/v1/router/"


def build_app(
    *,
    engine: DecisionEngine,
    classifier: Classifier,
    models: Mapping[str, CatalogModel],
    keys: KeySource,
    limits: Limits | None = None,
    faults: FaultRoutes | None = None,
    tracer: Tracer | None = None,
) -> web.Application:
    """Build the Morph-compatible endpoint.

    `models` maps router ids to catalog entries. `faults` adds the testing routes; without it they
    do not exist. The caller closes `engine` and `classifier`.
    """
    limits = limits or Limits()
    endpoints = Endpoints(engine=engine, classifier=classifier, offer=Offer(models), limits=limits)
    providers = ProviderRoutes(endpoints, models=models, limits=limits)
    app = build_endpoint(keys=keys, limits=limits, tracer=tracer, faults=faults)
    app.router.add_post(f"{ROUTER}multimodel", endpoints.multimodel)
    app.router.add_post(f"{ROUTER}classify", endpoints.classify)
    app.router.add_post(f"{ROUTER}raw", providers.raw)
    for provider in ("openai", "anthropic", "gemini"):
        app.router.add_post(f"{ROUTER}{provider}", providers.select(provider))
    return app
