"""The routes of the testing switch: a script in, the calls that arrived out."""

from __future__ import annotations

from dataclasses import asdict

from aiohttp import web
from aiohttp.typedefs import Handler

from pointsman_server.fault_injection.player import FaultPlayer
from pointsman_server.fault_injection.script import Call, FaultScript
from pointsman_server.http_api import keys
from pointsman_server.http_api.errors import Refused
from pointsman_server.http_api.json_bodies import json_response, parse_json

SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key"})


class FaultInjection:
    """Faults and memory for the routes under `prefix`; its own routes need a key as well."""

    def __init__(self, script: FaultScript, *, prefix: str = "/v1/") -> None:
        self._script = script
        self._prefix = prefix
        self._player = FaultPlayer()

    def add_to(self, app: web.Application) -> None:
        """Add the routes, and make the end of `app` the end of every step."""
        app.router.add_post("/testing/faults", self._load)
        app.router.add_get("/testing/faults", self._remaining)
        app.router.add_delete("/testing/faults", self._clear)
        app.router.add_get("/testing/calls", self._calls)
        app.router.add_delete("/testing/calls", self._forget)
        app.on_shutdown.append(self._stop)

    @web.middleware
    async def recording(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Record every call, authenticated or not."""
        if request.path.startswith(self._prefix):
            self._script.record(await _call(request))
        return await handler(request)

    @web.middleware
    async def playing(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Play the next step in place of the answer."""
        if not request.path.startswith(self._prefix):
            return await handler(request)
        step = self._script.next()
        if step is None:
            return await handler(request)
        return await self._player.play(step, request=request, answer=lambda: handler(request))

    async def _load(self, request: web.Request) -> web.Response:
        self._script.load(parse_json(await request.read()))
        return await self._remaining(request)

    async def _remaining(self, _: web.Request) -> web.Response:
        return json_response({"steps_left": self._script.steps_left})

    async def _clear(self, request: web.Request) -> web.Response:
        self._script.load(())
        return await self._remaining(request)

    async def _calls(self, _: web.Request) -> web.Response:
        calls = [asdict(call) for call in self._script.calls]
        return json_response({"count": self._script.count, "calls": calls})

    async def _forget(self, request: web.Request) -> web.Response:
        self._script.forget()
        return await self._calls(request)

    async def _stop(self, _: web.Application) -> None:
        self._player.stop()


async def _call(request: web.Request) -> Call:
    return Call(
        method=request.method,
        path=request.path,
        headers={
            name.lower(): "[redacted]" if name.lower() in SECRET_HEADERS else value
            for name, value in request.headers.items()
        },
        key_fingerprint=keys.fingerprint(request.headers.get("Authorization")),
        body=await _body(request),
    )


async def _body(request: web.Request) -> object:
    raw = await request.read()
    try:
        return parse_json(raw)
    except Refused:
        return raw.decode("utf-8", "replace")
