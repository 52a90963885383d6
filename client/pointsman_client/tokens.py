"""The bearer token that calls carry: a string, or a function that returns one."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pointsman_client.errors import Denied

TokenSource = str | Callable[[], str | Awaitable[str | None] | None]
"""A function runs before every call, so that a token can rotate; `None` or blank: no token."""


class TokenFile:
    """A token source that reads a file, and reads it again when it has changed."""

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._seen: tuple[int, int, int] | None = None
        self._token = ""

    def __call__(self) -> str:
        """The token, without surrounding blanks; raises `OSError` if it cannot be read."""
        # One system call per request; the file is read only when it was replaced or rewritten.
        status = self._path.stat()
        stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
        if stamp != self._seen:
            self._token = self._path.read_text(encoding="utf-8").strip()
            self._seen = stamp
        return self._token


async def bearer(source: TokenSource | None) -> str | None:
    """Return the value of the metadata key `authorization`; raises `Denied` without a token."""
    with _source_errors():
        token = source() if callable(source) else source
        if inspect.isawaitable(token):
            token = await token
    return _authorization(token)


def blocking_bearer(source: TokenSource | None) -> str | None:
    """Like `bearer`, for a source that answers at once."""
    with _source_errors():
        token = source() if callable(source) else source
    if inspect.iscoroutine(token):
        token.close()
    return _authorization(token)


def check_blocking(source: TokenSource | None) -> TokenSource | None:
    """Return `source`; `TypeError` for a coroutine function, which a blocking call cannot await."""
    if inspect.iscoroutinefunction(source):
        raise TypeError("token must not be a coroutine function in a blocking client")
    return source


@contextmanager
def _source_errors() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise Denied(f"the token source raised {type(error).__name__}") from error


def _authorization(token: object) -> str | None:
    if token is not None and not isinstance(token, str):
        raise Denied(f"the token source answered {type(token).__name__}, not a string")
    token = token.strip() if token else ""
    if not token:
        return None
    if not (token.isascii() and token.isprintable()):
        raise Denied("the token has characters that no token has")
    return f"Bearer {token}"
