"""Made requests in which length and effort part: for a teacher to label and a student to learn."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import Final

_SHORT: Final = 140
_LONG: Final = 420
_SENTENCE: Final = re.compile(r"(?<=[.?!\n])\s+")
_JOINTS: Final = ("\n\n", "\n", ":\n\n", "\n---\n", "\n```\n")


def crossings(texts: Sequence[str], *, count: int, seed: int) -> list[str]:
    """`count` of each kind: a short request with a long paste, and a long one's first sentence."""
    draw = random.Random(seed)
    short = [text for text in texts if len(text) <= _SHORT]
    long = [text for text in texts if len(text) >= _LONG]
    pasted = []
    for _ in range(count):
        wish, paste, joint = draw.choice(short), draw.choice(long), draw.choice(_JOINTS)
        first, second = (wish, paste) if draw.random() < 0.7 else (paste, wish)
        pasted.append(f"{first}{joint}{second}")
    cut = []
    for text in draw.sample(long, min(count, len(long))):
        sentences = _SENTENCE.split(text)
        cut.append(" ".join(sentences[: draw.choice((1, 1, 2))])[:400].strip() or text[:100])
    return pasted + cut
