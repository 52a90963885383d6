"""Bearer keys: where they come from, and a comparison that says nothing by its duration."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from pointsman_server.core.errors import SourceUnreadable, Unauthenticated
from pointsman_server.lib.watched_file import LIST_BYTES, FileUnreadable, WatchedFile


class KeySource(Protocol):
    """The keys that are valid now."""

    def read(self) -> Sequence[str]:
        """Every valid key; none where nobody may call. Raises `SourceUnreadable`."""
        ...


@dataclass(frozen=True, slots=True)
class FixedKeys:
    """Keys that hold as long as the server runs."""

    keys: tuple[str, ...]

    def read(self) -> Sequence[str]:
        """Return the keys as given."""
        return self.keys


class KeyFile:
    """Keys in a file, one a line; blank lines and lines after `#` do not count.

    The file is read again when it changes, so keys are added and withdrawn without a restart.
    """

    def __init__(self, path: Path) -> None:
        self._file = WatchedFile(path, most=LIST_BYTES)
        self._keys: tuple[str, ...] = ()

    def read(self) -> Sequence[str]:
        """The keys of the file as it is now."""
        try:
            text = self._file.changed()
        except FileUnreadable as error:
            # Nobody gets in: the keys of before may have been withdrawn.
            raise SourceUnreadable(f"key file: {error}") from None
        if text is not None:
            lines = map(str.strip, text.splitlines())
            self._keys = tuple(key for key in lines if key and not key.startswith("#"))
        return self._keys


def check(authorization: str | None, *, source: KeySource) -> None:
    """Accept an `Authorization` header or raise `Unauthenticated`."""
    offered = _token(authorization)
    if offered is None:
        raise Unauthenticated
    digest = _digest(offered)
    # Digests have one length, and every key is compared: time tells neither length nor place.
    matches = [hmac.compare_digest(digest, _digest(key)) for key in source.read()]
    if not any(matches):
        raise Unauthenticated


def fingerprint(authorization: str | None) -> str | None:
    """Twelve hex digits of the offered key's SHA-256: tells keys apart without showing one."""
    offered = _token(authorization)
    return None if offered is None else _digest(offered).hex()[:12]


def _token(authorization: str | None) -> str | None:
    scheme, _, token = (authorization or "").strip().partition(" ")
    token = token.strip()
    return token if scheme.lower() == "bearer" and token else None


def _digest(key: str) -> bytes:
    return sha256(key.encode("utf-8", "surrogateescape")).digest()
