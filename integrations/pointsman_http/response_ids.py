"""The id of a response, read from the first bytes of its body as it passes.

Turns of the Responses API name the response before them (`previous_response_id`). The provider
gives that id in the response, so that only a gateway that sees responses can join the turns.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterator
from types import ModuleType
from typing import Any

MOST = 64 * 1024
"""Bytes in which the id is looked for."""
_OK = 200
# The longest id that the client takes is 256 characters.
_ID = re.compile(rb"[\x21\x23-\x5b\x5d-\x7e]{1,256}")
_BEGIN = re.compile(rb"(?<![^\r\n])(data:)?[ \t]*\{")
_MARK = re.compile(rb'["{}\[\]:,]')
_STRING_MARK = re.compile(rb'["\\]')
_BODY, _EVENT = [b"id"], [b"response", b"id"]
"""The member with the id, in a whole body and in an event of a stream."""


class _IdScan:
    """Finds the id's member in JSON that comes in pieces; each byte is read once.

    Not a parser: the beginning of a body is no whole document.
    """

    def __init__(self) -> None:
        self.size = 0
        self._head = bytearray()
        self._at = 0
        self._wanted = _BODY
        self._path: list[bytes] = []  # the member in each open object; empty in an array
        self._opened = -1  # the first byte of the string that is open
        self._text = b""
        self._is_value = False

    def feed(self, piece: bytes) -> bytes | None:
        """Read on; return the id once it is there."""
        self._head += piece
        self.size = len(self._head)
        while self._at < self.size:
            if self._opened >= 0:
                moved = self._read_string()
                if moved and self._opened < 0 and self._is_value and self._path == self._wanted:
                    return self._text
            elif self._path:
                moved = self._read_mark()
            else:
                moved = self._begin()
            if not moved:
                return None
        return None

    def _begin(self) -> bool:
        """Go to the next document: the body, or an event's data."""
        found = _BEGIN.search(self._head, self._at)
        if found is None:
            self._at = max(self._at, self._head.rfind(b"\n") + 1)
            return False
        self._wanted = _EVENT if found[1] else _BODY
        self._path, self._at, self._is_value = [b""], found.end(), False
        return True

    def _read_mark(self) -> bool:
        found = _MARK.search(self._head, self._at)
        self._at = found.end() if found else self.size
        mark = found[0] if found else b""
        if mark == b'"':
            self._opened = self._at
            return True
        if mark in (b"{", b"["):
            self._path.append(b"")
        elif mark in (b"}", b"]"):
            self._path.pop()
        elif mark == b":":
            self._path[-1] = self._text
        if mark:
            self._is_value = mark == b":"
        return found is not None

    def _read_string(self) -> bool:
        found = _STRING_MARK.search(self._head, self._at)
        if found is None:
            self._at = self.size
        elif found[0] == b'"':
            self._text = bytes(self._head[self._opened : found.start()])
            self._opened, self._at = -1, found.end()
        elif found.end() < self.size:
            self._at = found.end() + 1
        else:
            self._at = found.start()
            return False
        return found is not None


class ResponseIdReader:
    """Calls `found` once, with a response's id; a plain body of a success alone is read.

    The id is the member `id` of a whole body, or `response.id` of the first event that has one.
    """

    def __init__(self, found: Callable[[str], None]) -> None:
        self._found: Callable[[str], None] | None = found
        self._scan = _IdScan()

    def start(self, status: int, encoding: str) -> bool:
        """Begin a body; whether there is an id to read in it."""
        if status != _OK or encoding not in ("", "identity"):
            self._found = None
        return self._found is not None

    def feed(self, piece: bytes) -> None:
        """Read the next piece of the body."""
        if self._found is None:
            return
        name = self._scan.feed(piece[: MOST - self._scan.size])
        tell = self._found
        if name is not None or self._scan.size >= MOST:
            self._found, self._scan = None, _IdScan()
        if name is not None and _ID.fullmatch(name):
            tell(name.decode())


def watched(stream: Any, reader: ResponseIdReader, *, library: ModuleType) -> Any:
    """Return a stream of httpx, or httpx2, whose pieces `reader` sees as they pass."""
    kind = library.AsyncByteStream if hasattr(stream, "__aiter__") else library.SyncByteStream
    members = _ASYNC if kind is library.AsyncByteStream else _BLOCKING
    made: Any = type("WatchedStream", (kind,), members)()
    made.stream, made.reader = stream, reader
    return made


def _iterate(self: Any) -> Iterator[bytes]:
    for piece in self.stream:
        self.reader.feed(piece)
        yield piece


def _close(self: Any) -> None:
    self.stream.close()


async def _aiterate(self: Any) -> AsyncIterator[bytes]:
    async for piece in self.stream:
        self.reader.feed(piece)
        yield piece


async def _aclose(self: Any) -> None:
    await self.stream.aclose()


_BLOCKING = {"__iter__": _iterate, "close": _close}
_ASYNC = {"__aiter__": _aiterate, "aclose": _aclose}
