"""The bearer token that calls carry: a string, or whatever answers one."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from pathlib import Path

from pointsman_client.errors import Denied

TokenSource = str | Callable[[], str | Awaitable[str | None] | None]
"""Asked before every call, so that a token can rotate; `None` or blank: the call carries none."""


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
    """The value of the metadata key `authorization`; `Denied` if there is no way to it."""
    token = await _ask(source)
    token = token.strip() if token else ""
    if not token:
        return None
    if not (token.isascii() and token.isprintable()):
        raise Denied("the token has characters that no token has")
    return f"Bearer {token}"


async def _ask(source: TokenSource | None) -> str | None:
    if source is None or isinstance(source, str):
        return source
    try:
        token = source()
        if inspect.isawaitable(token):
            token = await token
    except Exception as error:
        raise Denied(f"the token source raised {type(error).__name__}") from error
    if token is not None and not isinstance(token, str):
        raise Denied(f"the token source answered {type(token).__name__}, not a string")
    return token
