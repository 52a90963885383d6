"""Who calls, by name: as its token says, else as its certificate does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar

from pointsman_server.transport.call import Context

NAME_CODE_POINTS = 256
"""A longer name of a certificate is cut; a tokens file holds none that is longer."""

TOKEN_NAME: ContextVar[str | None] = ContextVar("token_name", default=None)
"""Set by `auth` for the one call that runs in this context."""


def _always() -> bool:
    return True


TOKEN_HOLDS: ContextVar[Callable[[], bool]] = ContextVar("token_holds", default=_always)
"""Asks whether the call would still be let in: a stream outlives what it was let in by. Set like
`TOKEN_NAME`; where tokens are not asked for, it always would."""

_NAMES = ("x509_subject_alternative_name", "x509_common_name")
"""gRPC's properties of a client certificate that was verified, the telling one first."""


def named_by_token(_context: Context) -> str | None:
    """The name that the call's token has; `None` where tokens are not asked for."""
    return TOKEN_NAME.get()


def named_by_token_or_certificate(context: Context) -> str | None:
    """The same, and where there is no token the name that the client certificate has.

    Apart, since asking gRPC costs microseconds that only mutual TLS has to pay.
    """
    name = TOKEN_NAME.get()
    return _certified(context.auth_context()) if name is None else name


def _certified(properties: Mapping[str, Iterable[bytes]]) -> str | None:
    for name in _NAMES:
        for value in properties.get(name, ()):
            return value.decode("utf-8", errors="replace")[:NAME_CODE_POINTS]
    return None
