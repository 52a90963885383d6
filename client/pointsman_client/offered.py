"""Check that an answer serves a model that the request offered."""

from __future__ import annotations

from pointsman_client.errors import ServiceFault
from pointsman_client.model import RouteRequest
from pointsman_client.results import RouteResult


def check_offered(result: RouteResult, request: RouteRequest) -> None:
    """Raise `ServiceFault` for a `serve_model` that is no candidate and not the static pick.

    A request without candidates leaves them to the service: then any model is an answer.
    """
    served = result.serve_model
    if not served or not request.candidates:
        return
    # The service trims ids.
    if served not in {name.strip() for name in (*request.candidates, request.static_pick or "")}:
        raise ServiceFault("the service answered a model that the request did not offer")
