"""Compressed bodies: expanded up to a bound, outside of the event loop."""

from __future__ import annotations

import asyncio
import zlib
from enum import StrEnum

from pointsman_extproc.body import Body

_PIECE = 1024 * 1024
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32


class Encoding(StrEnum):
    """The encoding of a body, by its header."""

    IDENTITY = "identity"
    GZIP = "gzip"
    DEFLATE = "deflate"
    OTHER = "other"
    """One that is not read here: zstd, br, or several."""


class TooLong(Exception):  # it is an answer, not a fault
    """A body expands to more than may be held."""


def encoding_named(header: str | None) -> Encoding:
    """Read a Content-Encoding header."""
    name = (header or "identity").strip().lower()
    if name in ("", "identity"):
        return Encoding.IDENTITY
    if name in ("gzip", "x-gzip"):
        return Encoding.GZIP
    return Encoding.DEFLATE if name == "deflate" else Encoding.OTHER


async def expanded(raw: Body, *, encoding: Encoding, most: int) -> Body:
    """Return the body as it was; `TooLong` beyond `most` bytes, `ValueError` for broken ones."""
    if encoding is Encoding.IDENTITY:
        return raw
    if encoding is Encoding.OTHER:
        raise ValueError("an encoding that is not read")
    return await asyncio.to_thread(_expanded, raw, encoding, most)


def _expanded(raw: Body, encoding: Encoding, most: int) -> bytes:
    # "deflate" is zlib's format; some clients send the bare one.
    formats = (_GZIP_OR_ZLIB, -zlib.MAX_WBITS) if encoding is Encoding.DEFLATE else (_GZIP_OR_ZLIB,)
    for wbits in formats:
        try:
            return _inflated(raw, wbits=wbits, most=most)
        except zlib.error:
            continue
    raise ValueError("the body is not of its encoding")


def _inflated(raw: Body, *, wbits: int, most: int) -> bytes:
    pieces: list[bytes] = []
    room = most
    rest: Body = raw
    while rest:  # gzip allows several members
        stream = zlib.decompressobj(wbits)
        while not stream.eof:
            piece = stream.decompress(rest, min(_PIECE, room + 1))
            rest = stream.unconsumed_tail
            room -= len(piece)
            if room < 0:
                raise TooLong
            if not (piece or rest or stream.eof):
                raise zlib.error("the body is cut off")
            pieces.append(piece)
        rest = stream.unused_data
    return b"".join(pieces)
