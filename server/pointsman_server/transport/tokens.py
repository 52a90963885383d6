"""The file of bearer tokens: `name sha256-of-token` a line, read again when it changes."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from pointsman_server.core.errors import SourceUnreadable

_LINE = re.compile(r"(?P<name>[^\s#]{1,256})\s+(?P<hash>[0-9a-f]{64})")
_log = logging.getLogger(__name__)


class TokenFile:
    """Token hash -> name; a name may have several tokens, so that one can replace another.

    A file that becomes unreadable keeps the tokens read last; an empty one lets nobody in.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mark: tuple[int, int, int] | None = None
        self._unreadable = False
        self._tokens: dict[str, str] = {}
        self._read()

    def __call__(self) -> dict[str, str]:
        """The tokens in force, by hash."""
        try:
            self._read()
        except SourceUnreadable as error:
            if not self._unreadable:
                _log.warning("keeping the tokens read last: %s", error)
            self._unreadable = True
        else:
            self._unreadable = False
        return self._tokens

    def _read(self) -> None:
        try:
            stat = self._path.stat()
            mark = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
            if mark == self._mark:
                return
            tokens = _parse(self._path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise SourceUnreadable(f"tokens file: {type(error).__name__}") from None
        self._tokens, self._mark = tokens, mark
        if not tokens:
            _log.warning("the tokens file names nobody: every call is refused")


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
