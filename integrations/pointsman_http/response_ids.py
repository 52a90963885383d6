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
_ID = re.compile(rb'"id"\s*:\s*"([\x21\x23-\x5b\x5d-\x7e]{1,256})"')


class ResponseIdReader:
    """Calls `found` once, with the first id in a body; a plain body of a success alone is read."""

    def __init__(self, found: Callable[[str], None]) -> None:
        self._found: Callable[[str], None] | None = found
        self._head = b""

    def start(self, status: int, encoding: str) -> bool:
        """Begin a body; whether there is an id to read in it."""
        if status != _OK or encoding not in ("", "identity"):
            self._found = None
        return self._found is not None

    def feed(self, piece: bytes) -> None:
        """Read the next piece of the body."""
        if self._found is None:
            return
        self._head += piece[: MOST - len(self._head)]
        if match := _ID.search(self._head):
            self._found(match[1].decode())
        if match or len(self._head) >= MOST:
            self._found, self._head = None, b""


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
