"""JSON calls of the HTTP listener."""

from __future__ import annotations

from typing import Any

import httpx
from google.protobuf import json_format

from support.served import Peer, request

SERVICE = "pointsman.v1.RoutingService"
DECIDE = f"/{SERVICE}/RouteDecision"
TOKEN = "token-of-the-tests"
JSON = {"content-type": "application/json"}


def body(**fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = json_format.MessageToDict(request(**fields))
    return found


def client(peer: Peer, scheme: str = "http", **settings: Any) -> httpx.AsyncClient:
    base = f"{scheme}://localhost:{peer.running.http_port}"
    return httpx.AsyncClient(base_url=base, timeout=20, **settings)
