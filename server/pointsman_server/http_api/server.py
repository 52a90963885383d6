"""Serve on a socket, and stop without dropping requests in flight."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

KEEPALIVE_SECONDS = 75.0
"""Longer than clients keep an idle connection, so that it is they who close it."""


@dataclass(frozen=True, slots=True)
class Listening:
    """An endpoint that accepts connections until it is closed."""

    host: str
    port: int
    _runner: web.AppRunner

    @property
    def url(self) -> str:
        """The base URL, without a slash at its end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    async def aclose(self) -> None:
        """Accept no more, let requests finish within the grace, close. Twice is fine."""
        await self._runner.cleanup()


async def serve(
    app: web.Application, *, host: str = "127.0.0.1", port: int = 0, grace: float = 5.0
) -> Listening:
    """Listen on `host` and `port` (0: a free one). Raises `OSError` where that is not possible.

    `grace` is how many seconds requests in flight get to finish when it is closed.
    """
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
    return Listening(host=bound_host, port=bound_port, _runner=runner)


class _Terse(logging.LoggerAdapter[logging.Logger]):
    """Logs an exception's type only: aiohttp's texts quote the client's data."""

    def process(
        self, msg: str, kwargs: MutableMapping[str, Any]
    ) -> tuple[str, MutableMapping[str, Any]]:
        error = kwargs.pop("exc_info", None)
        name = type(error).__name__ if isinstance(error, BaseException) else "error"
        return f"{msg} ({name})" if error else msg, kwargs
