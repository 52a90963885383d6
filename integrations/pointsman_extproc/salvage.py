"""Tiers in bodies that cannot be read as JSON with one model: broken, cut off, or too deep.

A search for `"model": "<tier>"` in the bytes. It goes through the body in pieces and lets other
requests on in between.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Collection
from dataclasses import dataclass

from pointsman_extproc.body import Body, Pieces
from pointsman_extproc.reading import is_tier

_PIECE = 64 * 1024
_LONGEST = 4_096
"""Bytes of the longest match: pieces overlap by as much."""
MOST_MATCHES = 1_000
"""A body with more members of this name is not searched to its end."""

# JSON allows each letter of the name as an escape.
_LETTERS = (rb"(?:m|\\u006[dD])", rb"(?:o|\\u006[fF])", rb"(?:d|\\u0064)", rb"(?:e|\\u0065)",
            rb"(?:l|\\u006[cC])")  # fmt: skip
_MODEL = re.compile(
    rb'"' + b"".join(_LETTERS) + rb'"[ \t\r\n]{0,64}:[ \t\r\n]{0,64}("(?:[^"\\]|\\.){0,1024}")',
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Found:
    """A value that names a tier."""

    tier: str
    start: int
    end: int


async def tiers_in(raw: Body, *, tiers: Collection[str]) -> tuple[Found, ...]:
    """Find every value of a member `model` that names a tier; `ValueError` for too many members."""
    found: list[Found] = []
    seen = 0
    start = 0
    while start < len(raw):
        for match in _MODEL.finditer(raw, start, start + _PIECE + _LONGEST):
            if match.start() >= start + _PIECE:
                break
            tier = _text(match[1])
            if is_tier(tier, tiers):
                found.append(Found(tier.strip().lower(), match.start(1), match.end(1)))
            seen += 1
            if seen > MOST_MATCHES:
                raise ValueError("too many members")
        start += _PIECE
        await asyncio.sleep(0)
    return tuple(found)


def replaced(raw: Body, found: Collection[Found], *, models: dict[str, str]) -> Pieces:
    """Return the body with the model of each tier found."""
    view = memoryview(raw)
    pieces: list[Body] = []
    position = 0
    for each in found:
        if each.start < position:
            continue
        pieces += [view[position : each.start], json.dumps(models[each.tier]).encode()]
        position = each.end
    return (*pieces, view[position:])


def _text(literal: bytes) -> str:
    try:
        value = json.loads(literal)
    except ValueError:
        return literal[1:-1].decode("utf-8", "replace")
    return value if isinstance(value, str) else ""
