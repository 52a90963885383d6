"""The file of bearer tokens: `name sha256-of-token` a line, read again when it changes."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from pointsman_server.core.errors import SourceUnreadable

_LINE = re.compile(r"(?P<name>[^\s#]{1,256})\s+(?P<hash>[0-9a-f]{64})")
_Mark: TypeAlias = tuple[int, int, int]
_log = logging.getLogger(__name__)


class TokenFile:
    """Token hash -> name; a name may have several tokens, so that one can replace another.

    A file that becomes unreadable keeps the tokens read last; an empty one lets nobody in. It is
    looked at with every call and item of a stream, so one that was refused is not read again.
    """

    def __init__(self, path: Path) -> None:
        """Raises `SourceUnreadable`."""
        self._path = os.fspath(path)
        self._problem = ""
        self._taken = self._refused = 0
        try:
            self._seen: _Mark | None = self._mark()
            self._tokens = self._read()
        except OSError as error:
            raise SourceUnreadable(_told(error)) from None
        self._say_if_empty()

    def __call__(self) -> dict[str, str]:
        """The tokens in force, by hash."""
        try:
            mark = self._mark()
            if mark != self._seen:
                self._take(mark)
        except OSError as error:
            self._seen = None  # rights that are given change no mark
            if (problem := _told(error)) != self._problem:
                self._refuse(problem)
        return self._tokens

    def reloads(self) -> Mapping[str, int]:
        """How often changed files were `taken` and `refused`. Looks for a newer."""
        self()
        return {"taken": self._taken, "refused": self._refused}

    def _mark(self) -> _Mark:
        stat = os.stat(self._path)  # noqa: PTH116  (half of what `Path.stat` takes)
        return stat.st_ino, stat.st_size, stat.st_mtime_ns

    def _take(self, mark: _Mark) -> None:
        try:
            tokens = self._read()
        except SourceUnreadable as error:
            self._seen = mark
            return self._refuse(str(error))
        self._seen, self._problem = mark, ""
        if tokens != self._tokens:
            self._tokens = tokens
            self._taken += 1
            _log.info("new tokens are in force")
            self._say_if_empty()
        return None

    def _refuse(self, problem: str) -> None:
        self._problem = problem
        self._refused += 1
        _log.warning("keeping the tokens read last: %s", problem)

    def _read(self) -> dict[str, str]:
        try:
            return _parse(Path(self._path).read_text(encoding="utf-8"))
        except UnicodeDecodeError as error:
            raise SourceUnreadable(_told(error)) from None

    def _say_if_empty(self) -> None:
        if not self._tokens:
            _log.warning("the tokens file names nobody: every call is refused")


def _told(error: Exception) -> str:
    """By its kind: the text of a foreign exception may quote the file."""
    return f"tokens file: {type(error).__name__}"


def _parse(text: str) -> dict[str, str]:
    tokens: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise SourceUnreadable(f"tokens file, line {number}: expected `name sha256-in-hex`")
        name = tokens.setdefault(match["hash"], match["name"])
        if name != match["name"]:
            raise SourceUnreadable(f"tokens file, line {number}: the token is another name's")
    return tokens
