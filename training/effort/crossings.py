"""Made requests in which length and effort part: for a guide to label and a student to learn."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_SHORT: Final = 140
_LONG: Final = 420
_MOST: Final = 400
_ABROAD: Final = 0.3
"""Share of wishes whose letters go beyond ASCII."""
_SENTENCE: Final = re.compile(r"(?<=[.?!\n])\s+|(?<=[。！？])")  # noqa: RUF001
_JOINTS: Final = ("\n\n", "\n", ":\n\n", "\n---\n", "\n```\n")
_ADDED: Final = (". ", "\n", ", and ", ". Then: ", "\n- ", " + ", "; ")


@dataclass(frozen=True, slots=True)
class Extra:
    """A request without labels."""

    text: str
    origins: frozenset[str]
    """The sources that its words come from."""


def crossings(basis: Sequence[Extra], *, count: int, seed: int) -> list[Extra]:
    """`count` of each kind: short with a long paste, first sentences, sentences from the middle.

    Half as many are two short requests in one.
    """
    draw = random.Random(seed)
    short = [each for each in basis if len(each.text) <= _SHORT]
    abroad = [each for each in short if not each.text.isascii()]
    long = [each for each in basis if len(each.text) >= _LONG]

    def wish() -> Extra:
        return draw.choice(abroad if draw.random() < _ABROAD else short)

    found = []
    for _ in range(count):
        ends = [wish(), draw.choice(long)]
        if draw.random() < 0.3:
            ends.reverse()
        found.append(_joined(ends, draw.choice(_JOINTS)))
    found.extend(_joined([wish(), wish()], draw.choice(_ADDED)) for _ in range(count // 2))
    found.extend(_span(each, 0, draw.choice((1, 1, 2))) for each in draw.sample(long, count))
    found.extend(
        _span(each, draw.randint(1, 5), draw.choice((1, 1, 2, 3)))
        for each in draw.sample(long, count)
    )
    return found


def _joined(parts: Sequence[Extra], joint: str) -> Extra:
    origins = frozenset[str]().union(*(part.origins for part in parts))
    return Extra(joint.join(part.text for part in parts), origins)


def _span(whole: Extra, start: int, count: int) -> Extra:
    """Some sentences of a text."""
    sentences = [each for each in _SENTENCE.split(whole.text) if each.strip()]
    start = min(start, max(len(sentences) - count, 0))
    text = " ".join(sentences[start : start + count])[:_MOST].strip()
    return Extra(text or whole.text[:100], whole.origins)
