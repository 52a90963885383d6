"""Sources of a remote engine's key; reloaded when it changes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from pointsman_server.core.errors import SourceUnreadable
from pointsman_server.lib.watched_file import SECRET_BYTES, FileUnreadable, WatchedFile


class KeySource(Protocol):
    """Gives the key that is in force now."""

    def read(self) -> str:
        """The key, trimmed and not blank. Raises `SourceUnreadable`."""
        ...


class EnvironmentKey:
    """A key in an environment variable."""

    def __init__(self, variable: str, environment: Mapping[str, str]) -> None:
        self._variable = variable
        self._environment = environment

    def read(self) -> str:
        """The variable's value."""
        key = self._environment.get(self._variable, "").strip()
        if not key:
            raise SourceUnreadable(f"environment variable {self._variable} holds no key")
        return key


class FileKey:
    """A key in a file, such as a mounted secret. A failed reading is not remembered."""

    def __init__(self, path: Path) -> None:
        self._file = WatchedFile(path, most=SECRET_BYTES)
        self._key = ""

    def read(self) -> str:
        """The file's content; read again when its identity, size or time of change does."""
        try:
            if (text := self._file.changed()) is not None:
                self._key = text.strip()
        except FileUnreadable as error:
            raise SourceUnreadable(f"key file: {error}") from None
        if not self._key:
            raise SourceUnreadable("key file: empty")
        return self._key


def key_source(
    *, file: str | None, variable: str | None, environment: Mapping[str, str]
) -> KeySource:
    """The file where one is named, else the variable."""
    if file is not None:
        return FileKey(Path(file))
    return EnvironmentKey(variable or "", environment)
