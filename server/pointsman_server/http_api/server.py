"""Serve on a socket, and stop without dropping requests in flight."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

HEAD_SECONDS = 10.0
"""Time for a client to send the head of its first request."""
KEEPALIVE_SECONDS = 75.0
"""Longer than clients keep an idle connection, so that the client closes it."""


@dataclass(frozen=True, slots=True)
class Listening:
    """An endpoint that accepts connections until it is closed."""

    host: str
    port: int
    _runner: web.AppRunner
    _closing: asyncio.Task[None]

    @property
    def url(self) -> str:
        """The base URL, without a slash at its end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    async def aclose(self) -> None:
        """Accept no more, let requests finish within the grace, close. Twice is fine."""
        self._closing.cancel()
        await self._runner.cleanup()


async def serve(
    app: web.Application, *, host: str = "127.0.0.1", port: int = 0, grace: float = 5.0
) -> Listening:
    """Listen on `host` and `port` (0: a free one). Raises `OSError` where that is not possible.

    `grace` is how many seconds requests in flight get to finish when it is closed.
    """
    begun: set[web.RequestHandler] = set()

    @web.middleware
    async def note(request: web.Request, handler: Handler) -> web.StreamResponse:
        begun.add(request.protocol)
        return await handler(request)

    app.middlewares.insert(0, note)
    runner = web.AppRunner(
        app,
        access_log=None,
        logger=_Terse(logging.getLogger(__name__)),
        handler_cancellation=True,
        keepalive_timeout=KEEPALIVE_SECONDS,
        shutdown_timeout=grace,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except BaseException:
        await runner.cleanup()
        raise
    bound_host, bound_port = runner.addresses[0][:2]
    closing = asyncio.create_task(_close_silent(runner, begun))
    return Listening(host=bound_host, port=bound_port, _runner=runner, _closing=closing)


async def _close_silent(runner: web.AppRunner, begun: set[web.RequestHandler]) -> None:
    """Close connections whose first request does not come; aiohttp has no time-out for it."""
    loop = asyncio.get_running_loop()
    since: dict[web.RequestHandler, float] = {}
    while runner.server is not None:
        now = loop.time()
        connections = runner.server.connections
        begun.intersection_update(connections)
        silent = [each for each in connections if each not in begun]
        since = {each: since.get(each, now) for each in silent}
        for each, start in since.items():
            if now - start >= HEAD_SECONDS and each.transport is not None:
                each.transport.abort()
        await asyncio.sleep(HEAD_SECONDS / 10)


class _Terse(logging.LoggerAdapter[logging.Logger]):
    """Logs an exception's type only: aiohttp's texts quote the client's data."""

    def process(
        self, msg: str, kwargs: MutableMapping[str, Any]
    ) -> tuple[str, MutableMapping[str, Any]]:
        error = kwargs.pop("exc_info", None)
        name = type(error).__name__ if isinstance(error, BaseException) else "error"
        return f"{msg} ({name})" if error else msg, kwargs
