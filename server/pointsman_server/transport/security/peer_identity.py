"""Identity of a caller: the name of its token, otherwise of its certificate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar

from pointsman_server.transport.call import Context

NAME_CODE_POINTS = 256
"""Longer certificate names are cut; a tokens file holds no longer name."""

TOKEN_NAME: ContextVar[str | None] = ContextVar("token_name", default=None)
"""Set by `BearerAuthentication` for the call that runs in this context."""


def _always() -> bool:
    return True


TOKEN_HOLDS: ContextVar[Callable[[], bool]] = ContextVar("token_holds", default=_always)
"""Returns whether the call's token is still valid: a stream may outlive its token. Set like
`TOKEN_NAME`; without tokens it is always true."""

_NAMES = ("x509_subject_alternative_name", "x509_common_name")
"""gRPC's properties of a verified client certificate, the more specific first."""


def named_by_token(_context: Context) -> str | None:
    """Return the name of the call's token; `None` without tokens."""
    return TOKEN_NAME.get()


def named_by_token_or_certificate(context: Context) -> str | None:
    """Return the name of the call's token, otherwise of its client certificate.

    A separate function, because reading the certificate costs microseconds that only mutual TLS
    should pay.
    """
    name = TOKEN_NAME.get()
    return _certified(context.auth_context()) if name is None else name


def connection_of(context: Context) -> str:
    """Return the peer's address and port, which identify its connection."""
    return str(context.peer())


def _certified(properties: Mapping[str, Iterable[bytes]]) -> str | None:
    for name in _NAMES:
        for value in properties.get(name, ()):
            return value.decode("utf-8", errors="replace")[:NAME_CODE_POINTS]
    return None
