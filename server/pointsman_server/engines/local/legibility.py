"""Whether a text is one that the heads were trained to read.

They were trained on English requests. Of other languages, of bare code, of logs and of turns
like "yes" they know nothing, and knowing nothing must not look like knowing that it is easy.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from pointsman_server.engines.local.features import DENSE_NAMES, LEAD, Features
from pointsman_server.engines.local.lexicon import GROUP_NAMES


class InputQuality(StrEnum):
    """Whether the heads can read a text, and the reason if they cannot."""

    CLEAR = "clear"
    TOO_SHORT = "too short"
    NOT_ENGLISH = "not English"
    NOT_PROSE = "code or a log"


MIN_WORDS: Final = 3
_LONG: Final = 8
_FOREIGN_SHARE: Final = 0.3
_ENGLISH_SHARE: Final = 0.08
_LEAD_SHARE: Final = 0.2
_MARKS_PER_WORD: Final = 0.5

_AT: Final = {name: index for index, name in enumerate(DENSE_NAMES)}
_TOPICAL: Final = [
    _AT[f"words_{name}"] for name in GROUP_NAMES if name not in {"function", "english"}
]
_MARKS: Final = [_AT[name] for name in ("code_marks", "equals", "parentheses", "numbers")]


def judge(found: Features) -> InputQuality:
    """Judge a text by its measurements: letters, English function words, known words, marks."""
    words = found.words
    if found.plain[_AT["non_ascii_share"]] > _FOREIGN_SHARE:
        return InputQuality.NOT_ENGLISH
    if words < MIN_WORDS:
        return InputQuality.TOO_SHORT
    # Code and logs are pasted below a sentence or two, so the first words count by themselves.
    lead = found.lead_english / min(words, LEAD)
    english = max(found.plain[_AT["words_english"]] / words, lead if lead > _LEAD_SHARE else 0.0)
    if words < _LONG:
        known = bool(found.plain[_TOPICAL].any())
        return InputQuality.CLEAR if known or english else InputQuality.TOO_SHORT
    if english >= _ENGLISH_SHARE:
        return InputQuality.CLEAR
    marks = found.plain[_MARKS].sum()
    return InputQuality.NOT_PROSE if marks / words > _MARKS_PER_WORD else InputQuality.NOT_ENGLISH
