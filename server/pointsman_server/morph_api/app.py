"""Assemble the endpoint: middlewares in order, and routes."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web
from aiohttp.typedefs import Middleware
from opentelemetry.trace import Tracer

from pointsman_server.core.model import CatalogModel
from pointsman_server.core.ports import Classifier, DecisionEngine
from pointsman_server.morph_api.endpoints import Endpoints
from pointsman_server.morph_api.envelope import authenticated, enveloped, plain_headers
from pointsman_server.morph_api.faults import FaultScript
from pointsman_server.morph_api.keys import KeySource
from pointsman_server.morph_api.limits import Limits
from pointsman_server.morph_api.offer import Offer
from pointsman_server.morph_api.testing import Testing

ROUTER_PREFIX = "/v1/"


def build_app(
    *,
    engine: DecisionEngine,
    classifier: Classifier,
    models: Mapping[str, CatalogModel],
    keys: KeySource,
    limits: Limits | None = None,
    faults: FaultScript | None = None,
    tracer: Tracer | None = None,
) -> web.Application:
    """Build the Morph-compatible endpoint.

    `models` maps router ids to catalog entries. `faults` switches the testing routes on;
    without it they do not exist. The caller closes `engine` and `classifier`.
    """
    limits = limits or Limits()
    endpoints = Endpoints(engine=engine, classifier=classifier, offer=Offer(models), limits=limits)
    testing = Testing(faults, prefix=ROUTER_PREFIX) if faults is not None else None
    app = web.Application(
        client_max_size=limits.body_bytes, middlewares=_ladder(keys, tracer, testing)
    )
    app.on_response_prepare.append(plain_headers)
    app.router.add_get("/health", endpoints.health)
    app.router.add_post("/v1/router/multimodel", endpoints.multimodel)
    app.router.add_post("/v1/router/classify", endpoints.classify)
    if testing is not None:
        testing.add_to(app)
    return app


def _ladder(keys: KeySource, tracer: Tracer | None, testing: Testing | None) -> list[Middleware]:
    """List middlewares from the outermost in. Calls are recorded before authentication."""
    ladder = [enveloped(tracer), authenticated(keys)]
    if testing is not None:
        ladder.insert(1, testing.recording)
        ladder.append(testing.playing)
    return ladder
