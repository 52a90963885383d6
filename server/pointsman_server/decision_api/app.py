"""Assemble the endpoint of a decision model."""

from __future__ import annotations

from aiohttp import web
from opentelemetry.trace import Tracer

from pointsman_server.decision_api.answers import PromptReader
from pointsman_server.decision_api.endpoints import Endpoints
from pointsman_server.http_api.app import FaultRoutes, build_endpoint
from pointsman_server.http_api.keys import KeySource
from pointsman_server.http_api.limits import Limits


def build_app(
    *,
    reader: PromptReader,
    keys: KeySource,
    limits: Limits | None = None,
    faults: FaultRoutes | None = None,
    tracer: Tracer | None = None,
) -> web.Application:
    """Build the endpoint: `POST /v1/systemone`, `POST /v1/decisions`, `GET /v1/models`.

    `faults` adds the testing routes; without it they do not exist.
    """
    limits = limits or Limits()
    endpoints = Endpoints(reader, limits=limits)
    app = build_endpoint(keys=keys, limits=limits, tracer=tracer, faults=faults)
    app.router.add_post("/v1/systemone", endpoints.systemone)
    app.router.add_post("/v1/decisions", endpoints.decisions)
    app.router.add_get("/v1/models", endpoints.models)
    return app
