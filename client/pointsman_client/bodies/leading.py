"""Wrappers at the start of a part: skipped by string search, at any length.

A reminder or a rules file may be longer than the part that is scanned for tags, and the user's
words come after it. Each search continues where the last one ended, and an unsuccessful one ends
the skip, so the work is linear.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pointsman_client.bodies.preambles import PREAMBLES, QUEUED, Preamble
from pointsman_client.bodies.wrappers import TAG, Block, block_named, mark_of

MOST_WRAPPERS = 256
"""The number of wrappers to skip at the start of one part."""

MOST_NESTED = 8
"""How many nested elements of one name are skipped with the outer one."""

_BLANKS = re.compile(r"[\s\ufeff]*")
_PATH = re.compile(r"\s*<path>", re.IGNORECASE)
_MARGIN = 64
"""The number of blanks allowed before a tag at the start of a line."""
_FIRST = frozenset(preamble.starts[0] for preamble in PREAMBLES)


@dataclass(frozen=True, slots=True)
class Leading:
    """The start of the rest of a part, and whether a summary of an earlier context was skipped."""

    end: int
    resets_context: bool = False


def skip_leading(part: str) -> Leading:
    """Skip the known wrappers at the start of `part`."""
    position = 0
    resets = False
    seen: dict[Block, bool] = {}
    for _ in range(MOST_WRAPPERS):
        blanks = _BLANKS.match(part, position)
        start = blanks.end() if blanks else position
        preamble = _preamble_at(part, start)
        if preamble is not None:
            end = _end_of_preamble(part, start=start, preamble=preamble)
            resets = resets or (preamble.resets_context and end is not None)
        else:
            end = _end_of_block(part, start=start, seen=seen)
        if end is None:
            return Leading(position, resets)
        position = end
        if position >= len(part):
            break
    return Leading(position, resets)


def _preamble_at(part: str, start: int) -> Preamble | None:
    if part[start : start + 1] not in _FIRST:
        return None
    return next((each for each in PREAMBLES if part.startswith(each.starts, start)), None)


def _end_of_preamble(part: str, *, start: int, preamble: Preamble) -> int | None:
    if not preamble.ends:
        return len(part)
    end = part.find(preamble.ends, start)
    if end >= 0:
        return end + len(preamble.ends)
    return None if preamble.optional else len(part)


def _end_of_block(part: str, *, start: int, seen: dict[Block, bool]) -> int | None:
    if not part.startswith("<", start):
        return None
    tag = TAG.match(part, start)
    if tag is None or tag["close"]:
        return None
    block = block_named(tag["name"])
    if block is None or not is_wrapping(tag, block=block, seen=seen):
        return None
    if block.words or queued_words(part, start=tag.end()) is not None:
        return None  # the scan of the rest takes the inside
    if tag["attributes"].endswith("/"):
        return tag.end()
    return _end_of_element(part, name=tag["name"], start=tag.end())


def _end_of_element(part: str, *, name: str, start: int) -> int | None:
    """Find the end of an element, over elements of its name that are nested in it."""
    close = part.find(f"</{name}", start)
    if close < 0:
        return None
    nested = min(part.count(f"<{name}", start, close), MOST_NESTED)
    for _ in range(nested):
        # A name that is only mentioned has no end: then the next end is behind another start.
        following = part.find(f"</{name}", close + 1)
        if following < 0 or part.find(f"<{name}", close + 1, following) >= 0:
            break
        close = following
    end = part.find(">", close)
    return end + 1 if end >= 0 else None


def is_wrapping(tag: re.Match[str], *, block: Block, seen: dict[Block, bool]) -> bool:
    """Whether an opening tag is an agent's and not XML of the user's own."""
    if not tag["attributes"].startswith(block.attributes):
        return False
    if block.at_line_start and not _is_at_line_start(tag):
        return False
    if tag["name"].lower() == "file":
        # An agent's has attributes or holds a path first.
        named = bool(tag["attributes"].strip(" \t\r\n/"))
        return named or bool(_PATH.match(tag.string, tag.end()))
    return mark_of(block, text=tag.string, seen=seen)


def queued_words(text: str, *, start: int) -> int | None:
    """The start of the user's words in a reminder that passes on a message; `None` in others."""
    blanks = _BLANKS.match(text, start)
    begin = blanks.end() if blanks else start
    return next((begin + len(each) for each in QUEUED if text.startswith(each, begin)), None)


def _is_at_line_start(tag: re.Match[str]) -> bool:
    before = tag.string[max(0, tag.start() - _MARGIN) : tag.start()].rstrip(" \t")
    return not before or before.endswith(("\n", ">", ":"))
