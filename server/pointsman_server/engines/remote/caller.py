"""One call of a remote engine: key, deadline, bounds, and a stage for each failure."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, MutableMapping

import httpx

from pointsman_server.core.engine_rules import RemoteRules
from pointsman_server.core.errors import EngineFailed, SourceUnreadable
from pointsman_server.core.model import EngineFailure
from pointsman_server.core.ports import Clock
from pointsman_server.engines.remote import client as exchange
from pointsman_server.engines.remote.keys import KeySource

LEAST = 0.001
"""Seconds that a call takes at least; timers may ring a moment early."""
HTTP_STATUSES = range(100, 600)
"""Others are not HTTP (RFC 9110, section 15)."""
_WARN_EVERY = 60.0
_HEADERS = {
    "content-type": "application/json",
    "accept": "application/json",
    # A compressed body could expand beyond any bound.
    "accept-encoding": "identity",
}

_log = logging.getLogger(__name__)


class RemoteCaller:
    """Posts JSON to one endpoint over a shared client, which its owner closes.

    `propagate` adds the trace context to a call's headers. `key` `None`: the server takes none.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        *,
        name: str,
        path: str,
        rules: RemoteRules,
        key: KeySource | None,
        clock: Clock,
        propagate: Callable[[MutableMapping[str, str]], None],
    ) -> None:
        self.name = name
        self._client = client
        self._url = exchange.endpoint(rules, path)
        self._timeout = rules.timeout
        self._key = key
        self._clock = clock
        self._propagate = propagate
        self._warn_at = float("-inf")
        self._untraced: tuple[str, httpx.Headers] | None = None
        """The headers of a call without a trace, for this key."""

    async def call(self, content: bytes, *, deadline: float | None) -> bytes:
        """Return the body of a successful response; empty if it is too long.

        `deadline` is on the monotonic clock; `None`: the engine's timeout alone. Raises
        `EngineFailed` with stage `deadline`, `timeout`, `fetch`, `http_<status>`,
        `invalid_response`, or `unexpected_error` without a usable key.
        """
        started = self._clock.monotonic()
        budget, cut_off = call_budget(self._timeout, deadline=deadline, now=started)
        if budget < LEAST:
            raise self.failed("deadline")
        headers = self._headers()
        try:
            async with asyncio.timeout(budget):
                status, body = await exchange.post(
                    self._client, self._url, headers=headers, content=content
                )
        except (TimeoutError, httpx.TimeoutException):
            raise self.failed("deadline" if cut_off else "timeout", since=started) from None
        except httpx.DecodingError:
            raise self.failed("invalid_response", since=started) from None
        except httpx.HTTPError:
            raise self.failed("fetch", since=started) from None
        if status not in HTTP_STATUSES:
            raise self.failed("invalid_response")
        if not httpx.codes.is_success(status):
            raise self.failed(f"http_{status}")
        return body

    def failed(self, stage: str, *, since: float | None = None) -> EngineFailed:
        """Build this engine's failure; `since` is when the call began."""
        elapsed = 0.0 if since is None else self._clock.monotonic() - since
        return EngineFailed(EngineFailure(engine=self.name, stage=stage), elapsed=elapsed)

    def _headers(self) -> httpx.Headers:
        try:
            key = self._key.read() if self._key is not None else ""
        except SourceUnreadable as error:
            self._warn(error)
            raise self.failed("unexpected_error") from None
        if self._untraced is None or self._untraced[0] != key:
            bearer = {"authorization": f"Bearer {key}"} if key else {}
            try:
                fresh = httpx.Headers(bearer | _HEADERS)
            except UnicodeEncodeError:
                self._warn(SourceUnreadable("the key has characters other than ASCII"))
                raise self.failed("unexpected_error") from None
            self._untraced = key, fresh
        trace: dict[str, str] = {}
        self._propagate(trace)
        headers = self._untraced[1]
        return httpx.Headers({**headers, **trace}) if trace else headers

    def _warn(self, error: SourceUnreadable) -> None:
        """Warn once a minute for as long as the key is missing."""
        now = self._clock.monotonic()
        if now >= self._warn_at:
            self._warn_at = now + _WARN_EVERY
            _log.warning("no key for engine %s: %s", self.name, error)


def call_budget(timeout: float, *, deadline: float | None, now: float) -> tuple[float, bool]:
    """Seconds for a call, and whether the caller's deadline bounds them."""
    if deadline is None:
        return timeout, False
    left = deadline - now
    return min(timeout, left), left < timeout
