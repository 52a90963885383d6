"""Secrets that this process has read: its log shows none of them, whoever writes the line."""

from __future__ import annotations

from pointsman_server.engines.keys import KeySource

MOST = 32
"""Keys that were rotated out are forgotten, oldest first."""


class KnownSecrets:
    """Calling it gives them all. Any thread may, whenever it writes a line."""

    def __init__(self) -> None:
        self._secrets: tuple[str, ...] = ()

    def __call__(self) -> tuple[str, ...]:
        """The secrets, latest last."""
        return self._secrets

    def add(self, secret: str) -> None:
        """Know another one; nothing for a blank one."""
        secret = secret.strip()
        if secret and secret not in self._secrets:
            self._secrets = (*self._secrets[1 - MOST :], secret)


class Told:
    """A key source whose keys get known as they are read."""

    def __init__(self, source: KeySource, known: KnownSecrets) -> None:
        self._source = source
        self._known = known
        self._last = ""

    def read(self) -> str:
        """The key that is in force. Raises `SourceUnreadable`."""
        key = self._source.read()
        if key is not self._last:
            self._known.add(key)
            self._last = key
        return key
