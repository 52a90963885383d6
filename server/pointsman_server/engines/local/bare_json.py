"""Bare JSON values: turns without a task, unless a string in them is an instruction."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

_WORDS: Final = 3
"""Words of a string in a bare JSON value; a longer one may be an instruction."""
_ASKING_WORDS: Final = 2
"""Words from which the string of a member that asks ("task") is one."""
_SHORTEST_CUT: Final = 48
"""Characters of a value that is cut off; shorter ones are read as text."""
_UNSPACED: Final = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff]"
)
"""Letters of scripts that put no blank between words: Thai, Lao, Burmese, Khmer, kana, Han."""
_UNSPACED_WORD: Final = 2
"""Of these letters, a word has about so many, or more."""
_MEMBER: Final = re.compile(r'(?:"([^"]{0,80})"\s*:\s*)?"([^"]*)(?:"|\Z)')


def is_bare_json(prompt: str, *, asks: frozenset[str], says: Callable[[str], bool]) -> bool:
    """Whether it is a bare JSON object or array without an instruction in it, cut off or not.

    `asks` are names of members that hold instructions, folded; `says` tells whether a text is more
    than a phrase without a task.
    """
    text = prompt.strip()
    if text[:1] not in ("{", "["):
        return False
    try:
        strings = list(_strings(json.loads(text), ""))
    except json.JSONDecodeError as error:
        is_cut = error.msg.startswith("Unterminated string") or error.pos >= len(text)
        if not is_cut or len(text) <= _SHORTEST_CUT:
            return False
        strings = [(name, value) for name, value in _MEMBER.findall(text)]
    except (ValueError, RecursionError):
        return False
    return not _instructs(strings, asks, says)


def _strings(value: object, name: str) -> Iterator[tuple[str, str]]:
    """The strings of a value, each with the name of its member."""
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each, name)
    elif isinstance(value, dict):
        is_users = value.get("role") == "user"
        for key, each in value.items():
            yield from _strings(each, "prompt" if is_users and key == "content" else key)


def _instructs(
    strings: Iterable[tuple[str, str]], asks: frozenset[str], says: Callable[[str], bool]
) -> bool:
    for name, text in strings:
        words = _words(text)
        if words > _WORDS:
            return True
        if words >= _ASKING_WORDS and name.strip().casefold() in asks and says(text):
            return True
    return False


def _words(text: str) -> int:
    """Words of a text in any script; where there are no blanks, an estimate."""
    unspaced = 0 if text.isascii() else len(_UNSPACED.findall(text))
    return len(text.split()) + unspaced // _UNSPACED_WORD
