"""Lines of files that may be long, rotated, compressed or cut off, one at a time."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final, cast

from pointsman_server.report.fields import Unreadable

LONGEST_LINE: Final = 1 << 20
"""Bytes; a line of the decision log has about a thousand."""
_GZIP: Final = b"\x1f\x8b"


def lines(stream: io.BufferedReader) -> Iterator[bytes | Unreadable]:
    """Yield every line, or the reason why it is unreadable. Raises `OSError`.

    Gzip is detected by content, not by the file's name.
    """
    compressed = stream.peek(len(_GZIP))[: len(_GZIP)] == _GZIP
    plain = cast("BinaryIO", gzip.GzipFile(fileobj=stream)) if compressed else stream
    try:
        yield from _lines(plain)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        yield Unreadable("compressed data that is damaged or cut off")


def _lines(stream: BinaryIO) -> Iterator[bytes | Unreadable]:
    while line := stream.readline(LONGEST_LINE):
        if len(line) < LONGEST_LINE or line.endswith(b"\n"):
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = stream.readline(LONGEST_LINE)
        yield Unreadable("too long")
