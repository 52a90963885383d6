"""Bearer tokens: who may call. Only hashes of tokens are kept."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

import grpc

from pointsman_server.core.errors import Unauthenticated
from pointsman_server.transport.call import CallMeter, Context
from pointsman_server.transport.errors import to_status
from pointsman_server.transport.security.peer_identity import TOKEN_HOLDS, TOKEN_NAME

OPEN_SERVICES = ("/grpc.health.v1.Health/",)
"""Probes of an orchestrator have no token, and health tells nothing that is worth one."""

_SCHEME = "bearer "
_REFUSED = grpc.StatusCode.UNAUTHENTICATED.name
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


def token_hash(token: str) -> str:
    """The form in which tokens are kept: SHA-256 in hex. Tokens are random, not passwords."""
    return hashlib.sha256(token.encode()).hexdigest()


class BearerAuthentication(grpc.aio.ServerInterceptor):
    """Refuses calls without a known token; `tokens` gives token hash -> name at this moment.

    A token is looked for by its hash, and hashes are compared in constant time: how long a refusal
    takes says nothing about a token.
    """

    def __init__(self, tokens: Callable[[], Mapping[str, str]], *, meter: CallMeter) -> None:
        self._tokens = tokens
        self._meter = meter
        # Of the streaming kind, which refuses whatever was called, and before any message is read.
        self._refusal: Handler = grpc.stream_stream_rpc_method_handler(_refuse)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """The real handler, or one that refuses."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if method.startswith(OPEN_SERVICES):
            return handler
        # A method that is not served is the caller's text, which no metric may hold.
        known = method.removeprefix("/") if handler is not None else None
        return handler if self.admit(_authorization(handler_call_details), known) else self._refusal

    def admit(self, authorization: str, method: str | None) -> bool:
        """Return whether the header `authorization` carries a known token.

        If so, the rest of the current context runs in the token's name; if not, the refusal is
        counted for `method`.
        """
        presented = _presented(authorization)
        name = None if presented is None else self._name(presented)
        if presented is None or name is None:
            self._meter.call(method, caller=None, status=_REFUSED)
            return False
        TOKEN_NAME.set(name)
        TOKEN_HOLDS.set(partial(self._holds, presented))
        return True

    def _name(self, presented: str) -> str | None:
        """The name that a token has. Every known one is compared, in constant time."""
        found = None
        for known, name in self._tokens().items():
            if hmac.compare_digest(presented, known):
                found = name
        return found

    def _holds(self, accepted: str) -> bool:
        """Whether a token that was let in still would be. It is known: no time tells more of it."""
        return accepted in self._tokens()


def _authorization(call: grpc.HandlerCallDetails) -> str:
    header = next((v for k, v in call.invocation_metadata or () if k == "authorization"), "")
    return header if isinstance(header, str) else ""


def _presented(authorization: str) -> str | None:
    """Return the hash of the token in the header."""
    if authorization[: len(_SCHEME)].lower() != _SCHEME:
        return None
    return token_hash(authorization[len(_SCHEME) :].strip())


async def _refuse(_requests: Any, context: Context) -> None:
    status = to_status(Unauthenticated())
    await context.abort(status.code, status.details, status.trailing_metadata)
