"""The file of bearer tokens: `name sha256-of-token` a line, read again when it changes."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Mapping
from pathlib import Path

from pointsman_server.core.errors import SourceUnreadable
from pointsman_server.lib.watched_file import LIST_BYTES, FileUnreadable, WatchedFile

_LINE = re.compile(r"(?P<name>[^\s#]{1,256})\s+(?P<hash>[0-9a-f]{64})")
_BOM = "\ufeff"
_EMPTY = hashlib.sha256(b"").hexdigest()
_log = logging.getLogger(__name__)


class TokenFile:
    """Token hash -> name; a name may have several tokens, so that one can replace another.

    A file that becomes unreadable keeps the tokens read last; an empty one lets nobody in. It is
    looked at with every call and item of a stream, so one that was refused is not read again.
    """

    def __init__(self, path: Path) -> None:
        """Raises `SourceUnreadable`."""
        self._file = WatchedFile(path, most=LIST_BYTES)
        self._problem = ""
        self._taken = self._refused = 0
        self._tokens: dict[str, str] = {}
        try:
            self._tokens = _parse(self._file.changed() or "")
        except FileUnreadable as error:
            raise SourceUnreadable(f"tokens file: {error}") from None
        self._say_if_empty()

    def __call__(self) -> dict[str, str]:
        """The tokens in force, by hash."""
        try:
            if (text := self._file.changed()) is not None:
                self._take(_parse(text))
        except FileUnreadable as error:
            self._refuse(f"tokens file: {error}")
        except SourceUnreadable as error:
            self._refuse(str(error))
        return self._tokens

    def reloaded(self) -> bool:
        """Whether the last change was taken."""
        return not self._problem

    def reloads(self) -> Mapping[str, int]:
        """Counts of changed files: `taken` and `refused`. Checks for a newer one."""
        self()
        return {"taken": self._taken, "refused": self._refused}

    def _take(self, tokens: dict[str, str]) -> None:
        self._problem = ""
        if tokens != self._tokens:
            self._tokens = tokens
            self._taken += 1
            _log.info("new tokens are in force")
            self._say_if_empty()

    def _refuse(self, problem: str) -> None:
        """Once for each problem: the file is looked at with every call."""
        if problem != self._problem:
            self._problem = problem
            self._refused += 1
            _log.warning("keeping the tokens read last: %s", problem)

    def _say_if_empty(self) -> None:
        if not self._tokens:
            _log.warning("the tokens file names nobody: every call is refused")


def _parse(text: str) -> dict[str, str]:
    tokens: dict[str, str] = {}
    if text.startswith(_BOM):
        raise SourceUnreadable(
            "tokens file, line 1: starts with a byte order mark: save it as UTF-8 without one"
        )
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise SourceUnreadable(f"tokens file, line {number}: expected `name sha256-in-hex`")
        if match["hash"] == _EMPTY:
            raise SourceUnreadable(
                f"tokens file, line {number}: is the hash of an empty token: hash a random one"
            )
        name = tokens.setdefault(match["hash"], match["name"])
        if name != match["name"]:
            raise SourceUnreadable(f"tokens file, line {number}: the token is another name's")
    return tokens
