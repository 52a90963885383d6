"""Engine `morph`: Morph's model router over HTTP.

`POST /v1/router/multimodel`, bearer key, JSON `{input, allowed_models, policy, default_model}`;
the answer is an object with `model` and optional heads (Morph's API reference, 2026-06). Only the
bounded prompt, router ids, the policy and the default leave the process.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, MutableMapping
from functools import lru_cache
from json.encoder import encode_basestring_ascii as _quoted
from typing import cast

import httpx

from pointsman_server.core.errors import EngineFailed, SourceUnreadable
from pointsman_server.core.model import EngineAnswer, EngineFailure, EngineQuery
from pointsman_server.core.policy_file import MorphRules
from pointsman_server.core.ports import Clock
from pointsman_server.engines.kept_alive import KeptAliveTransport
from pointsman_server.engines.keys import KeySource
from pointsman_server.engines.morph_answer import read_answer

NAME = "morph"
PATH = "/v1/router/multimodel"
RESPONSE_BYTES = 64 * 1024
WARN_EVERY = 60.0
REMEMBERED = 1_024
_HEADERS = {
    "content-type": "application/json",
    "accept": "application/json",
    # A compressed body could unfold past any bound.
    "accept-encoding": "identity",
}
HTTP_STATUSES = range(100, 600)
"""Others are no answer of HTTP (RFC 9110, section 15)."""
ANSWER_MARGIN = 0.03
"""Seconds of the caller's deadline that are kept for the answer on its way back."""

_log = logging.getLogger(__name__)


class MorphEngine:
    """Asks Morph over one shared transport, which its owner closes.

    A transport of httpx and no client: a client would add what is not wanted here (redirects,
    cookies, credentials of the environment) and twice the time that sending takes.
    """

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport,
        *,
        rules: MorphRules,
        key: KeySource,
        clock: Clock,
        propagate: Callable[[MutableMapping[str, str]], None],
    ) -> None:
        self._transport = transport
        self._url = httpx.URL(rules.url.rstrip("/") + PATH)
        self._rules = rules
        self._key = key
        self._clock = clock
        self._propagate = propagate
        self._warn_at = float("-inf")
        self._untraced: tuple[str, httpx.Headers] | None = None
        """The headers of a call without a trace, for this key."""

    async def decide(self, query: EngineQuery) -> EngineAnswer:
        """Morph's pick among the query's candidates. Raises `EngineFailed`."""
        started = self._clock.monotonic()
        budget, cut_off = self._budget(query, started)
        if budget <= 0:
            raise _failed("deadline")
        headers = self._headers()
        try:
            async with asyncio.timeout(budget):
                status, body = await self._post(_body(query), headers)
        except (TimeoutError, httpx.TimeoutException):
            elapsed = self._clock.monotonic() - started
            raise _failed("deadline" if cut_off else "timeout", elapsed=elapsed) from None
        except httpx.HTTPError:
            raise _failed("fetch", elapsed=self._clock.monotonic() - started) from None
        if status not in HTTP_STATUSES:
            raise _failed("invalid_response")
        if not httpx.codes.is_success(status):
            raise _failed(f"http_{status}")
        answer = read_answer(body, query)
        if answer is None:
            raise _failed("invalid_response")
        return answer

    def _budget(self, query: EngineQuery, now: float) -> tuple[float, bool]:
        """Seconds for the call, and whether the caller's deadline is what bounds them."""
        if query.deadline is None:
            return self._rules.timeout, False
        left = query.deadline - now - ANSWER_MARGIN
        return min(self._rules.timeout, left), left < self._rules.timeout

    def _headers(self) -> httpx.Headers:
        try:
            key = self._key.read()
        except SourceUnreadable as error:
            self._warn(error)
            raise _failed("unexpected_error") from None
        if self._untraced is None or self._untraced[0] != key:
            try:
                fresh = httpx.Headers({"authorization": f"Bearer {key}"} | _HEADERS)
            except UnicodeEncodeError:
                self._warn(SourceUnreadable("a key is written in ASCII"))
                raise _failed("unexpected_error") from None
            self._untraced = key, fresh
        trace: dict[str, str] = {}
        self._propagate(trace)
        headers = self._untraced[1]
        return httpx.Headers({**headers, **trace}) if trace else headers

    def _warn(self, error: SourceUnreadable) -> None:
        """Once a minute: it goes on for as long as the key is missing."""
        now = self._clock.monotonic()
        if now >= self._warn_at:
            self._warn_at = now + WARN_EVERY
            _log.warning("no key for engine morph: %s", error)

    async def _post(self, body: bytes, headers: httpx.Headers) -> tuple[int, bytes]:
        """Status and body; a body over the bound comes back empty, which no answer is."""
        # As a stream: of `content` httpx would work out headers that the transport sets anyway.
        request = httpx.Request("POST", self._url, headers=headers, stream=httpx.ByteStream(body))
        response = await self._transport.handle_async_request(request)
        try:
            if not response.is_success:
                return response.status_code, b""
            received = bytearray()
            # As it comes from the transport, which `aiter_raw` would only cut anew.
            stream = cast("httpx.AsyncByteStream", response.stream)
            async for chunk in stream:
                received += chunk
                if len(received) > RESPONSE_BYTES:
                    return response.status_code, b""
            return response.status_code, bytes(received)
        finally:
            await response.aclose()


def build_transport(rules: MorphRules) -> httpx.AsyncBaseTransport:
    """The one transport: keep-alive, bounded pool, no redirects, TLS verified."""
    return KeptAliveTransport(
        connections=rules.max_connections, connect_retries=rules.connect_retries
    )


def _body(query: EngineQuery) -> bytes:
    allowed = tuple([m.router_id for m in query.candidates])
    rest = _but_input(allowed, query.policy, query.default.router_id)
    return f'{{"input": {_quoted(query.prompt)}, {rest}'.encode("ascii")


@lru_cache(maxsize=REMEMBERED)
def _but_input(allowed: tuple[str | None, ...], policy: str, default: str | None) -> str:
    """The body behind its first field: the same for all prompts of one routing context."""
    return json.dumps({"allowed_models": allowed, "policy": policy, "default_model": default})[1:]


def _failed(stage: str, *, elapsed: float = 0.0) -> EngineFailed:
    return EngineFailed(EngineFailure(engine=NAME, stage=stage), elapsed=elapsed)
