"""Frames: marks around a whole request that say nothing of it."""

from __future__ import annotations

import re
from typing import Final

_FRAMED: Final = (
    re.compile(r"<([\w-]{1,40})>((?:(?!</\1>).)*)</\1>", re.DOTALL),
    re.compile(r"(```)[\w-]{0,20}\n(.*)\n```", re.DOTALL),
    re.compile(r"([\"'])([^\"']*)\1"),
    re.compile(r"([-*>]) ([^\n]*)"),
)
_FIRST: Final = frozenset("<`\"'-*>")


def bare(text: str) -> str:
    """`text` without one tag, fence, pair of quotes or bullet around all of it."""
    if text[:1] not in _FIRST:
        return text
    for pattern in _FRAMED:
        match = pattern.fullmatch(text)
        if match is not None and match[2].strip():
            return match[2].strip()
    return text
