"""Bearer tokens: authentication of calls. Only hashes of tokens are stored."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

import grpc

from pointsman_server.core.errors import Unauthenticated
from pointsman_server.transport.call import Context
from pointsman_server.transport.concurrency import CallMeter
from pointsman_server.transport.errors import to_status
from pointsman_server.transport.security.peer_identity import TOKEN_HOLDS, TOKEN_NAME

OPEN_SERVICES = ("/grpc.health.v1.Health/",)
"""Services without authentication: an orchestrator's probes have no token."""

_SCHEME = "bearer "
_REFUSED = grpc.StatusCode.UNAUTHENTICATED.name
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


def token_hash(token: str) -> str:
    """Return the stored form of a token: SHA-256 in hex. Tokens are random, not passwords."""
    return hashlib.sha256(token.encode()).hexdigest()


class BearerAuthentication(grpc.aio.ServerInterceptor):
    """Refuses calls without a known token; `tokens` returns the current token hash -> name.

    Tokens are compared by hash and in constant time, so the time of a refusal reveals nothing.
    """

    def __init__(self, tokens: Callable[[], Mapping[str, str]], *, meter: CallMeter) -> None:
        self._tokens = tokens
        self._meter = meter
        # Of the streaming kind, which can refuse any method before a message is read.
        self._refusal: Handler = grpc.stream_stream_rpc_method_handler(_refuse)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Return the handler of the call, or one that refuses it."""
        method = handler_call_details.method
        if method.startswith(OPEN_SERVICES):
            return await continuation(handler_call_details)
        # Before admission, which shares its places by the token's name.
        if self._accept(_authorization(handler_call_details)):
            return await continuation(handler_call_details)
        # The name of a method that is not served is the caller's text, which no metric may hold.
        served = await continuation(handler_call_details) is not None
        self._meter.call(method.removeprefix("/") if served else None, caller=None, status=_REFUSED)
        return self._refusal

    def admit(self, authorization: str, method: str | None) -> bool:
        """Return whether the header `authorization` carries a known token.

        If so, the rest of the current context runs in the token's name; if not, the refusal is
        counted for `method`.
        """
        accepted = self._accept(authorization)
        if not accepted:
            self._meter.call(method, caller=None, status=_REFUSED)
        return accepted

    def _accept(self, authorization: str) -> bool:
        """Run the rest of the current context in the name of the header's token, if it is known."""
        presented = _presented(authorization)
        name = None if presented is None else self._name(presented)
        if presented is None or name is None:
            return False
        TOKEN_NAME.set(name)
        TOKEN_HOLDS.set(partial(self._holds, presented))
        return True

    def _name(self, presented: str) -> str | None:
        """Return the name of a token. Compares every known hash in constant time."""
        found = None
        for known, name in self._tokens().items():
            if hmac.compare_digest(presented, known):
                found = name
        return found

    def _holds(self, accepted: str) -> bool:
        """Return whether an accepted token is still valid."""
        return accepted in self._tokens()


def _authorization(call: grpc.HandlerCallDetails) -> str:
    header = next((v for k, v in call.invocation_metadata or () if k == "authorization"), "")
    return header if isinstance(header, str) else ""


def _presented(authorization: str) -> str | None:
    """Return the hash of the token in the header."""
    if authorization[: len(_SCHEME)].lower() != _SCHEME:
        return None
    token = authorization[len(_SCHEME) :].strip()
    return token_hash(token) if token else None


async def _refuse(_requests: Any, context: Context) -> None:
    status = to_status(Unauthenticated())
    await context.abort(status.code, status.details, status.trailing_metadata)
