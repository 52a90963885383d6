"""The routes of both wire formats."""

from __future__ import annotations

from types import ModuleType

from aiohttp import web

from pointsman_server.decision_api import decisions, systemone
from pointsman_server.decision_api.answers import PromptReader
from pointsman_server.http_api.json_bodies import json_response, read_json
from pointsman_server.http_api.limits import Limits

MODEL = "pointsman-local"
_RELEASED = "2026-11-30"
_CREATED = 1_796_000_000


class Endpoints:
    """The routes over one reader."""

    def __init__(self, reader: PromptReader, *, limits: Limits) -> None:
        self._reader = reader
        self._limits = limits

    async def systemone(self, request: web.Request) -> web.Response:
        """`POST /v1/systemone`: TypeSafe's System One."""
        return await self._answer(request, systemone)

    async def decisions(self, request: web.Request) -> web.Response:
        """`POST /v1/decisions`: OpenAI's Decisions."""
        return await self._answer(request, decisions)

    async def models(self, _: web.Request) -> web.Response:
        """`GET /v1/models`: the one model, for clients of both formats."""
        described = {
            "name": MODEL,
            "description": "The embedded reader of Pointsman.",
            "release_date": _RELEASED,
        }
        listed = {"id": MODEL, "object": "model", "created": _CREATED, "owned_by": "pointsman"}
        return json_response({"models": [described], "object": "list", "data": [listed]})

    async def _answer(self, request: web.Request, wire: ModuleType) -> web.Response:
        given = await read_json(request, limits=self._limits)
        body = wire.read_body(given, limits=self._limits)
        return json_response(wire.response(body, self._reader.estimate(body.prompt)))
