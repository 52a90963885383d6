"""A lexical reader of turns: greetings, confirmations and bare pastes, in the languages of users.

It is sure of what it lists and of nothing else: a prompt that it does not know is a task.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources
from typing import Final

from pointsman_server.core.turn import TurnReading

_LONGEST: Final = 48
"""Characters of a turn that is looked up; what is longer says more than "go on"."""
_LINES: Final = 3
"""Lines that a paste has at least."""
_SURE: Final = 0.95
_TASK: Final = TurnReading(turn=0.0, needs_info=0.0)
_NO_TASK: Final = TurnReading(turn=_SURE, needs_info=0.0)
_VAGUE: Final = TurnReading(turn=0.0, needs_info=_SURE)


_CLAUSES: Final = re.compile(r"[,.;:!?\u3001\u3002\uff0c\uff01\uff1f\n]+")
_SECTION: Final = re.compile(r"^\[(.+)\]$", re.MULTILINE)
_PASTE: Final = (
    re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d"),
    re.compile(r"\d\d:\d\d:\d\d"),
    re.compile(r"\[?(TRACE|DEBUG|INFO|WARN|WARNING|ERROR|FATAL|CRITICAL)\]?\b"),
    re.compile(
        r"Traceback \(most recent call last\):|File \"|at [\w.$<>]+\(|Caused by:|\.{3} \d+ more"
    ),
    re.compile(r"[\w.]*(Error|Exception)\b"),
    re.compile(
        r"(PASS|FAIL|FAILED|PASSED|ok|not ok|✓|✗|✔|=+|-{3,}|\+{3}|@@|diff --git|index [0-9a-f]{7,})"
    ),
    re.compile(
        r"[$#>%] ?\S|\w+@[\w-]+[:~]|npm (ERR!|WARN|error)|error(\[\w+\])?:|warning(\[\w+\])?:"
    ),
    re.compile(r"[-dlrwx]{10} |total \d+$|[0-9a-f]{7,40} |(\d{1,3}\.){3}\d{1,3}"),
    re.compile(r"\S+:\d+(:\d+)?(:|\s|$)"),
    re.compile(r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d"),
    re.compile(r"\{\"(level|ts|time|timestamp|severity|msg)\":"),
    re.compile(r"panic: |goroutine \d+|main\.\w+\(|exit (status|code) |--> \S|\d* ?\|"),
    re.compile(r"On branch |Your branch |Changes (not staged|to be committed)|Untracked files:"),
    re.compile(r"(modified|deleted|renamed|new file): |\(use \"git |no changes added"),
    re.compile(r"(Tests|Test Suites|Snapshots|Time): +\d|Ran \d+ tests?\b"),
    re.compile(r"\d+ (passed|failed|passing|failing|skipped|errors?|warnings?)\b"),
)
"""How lines of logs, traces, test runs and shells begin."""


_JSON_WORDS: Final = 3
"""Words of a string in a bare JSON value; a longer one may be an instruction."""
_UNSPACED: Final = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff]"
)
"""Letters of scripts that put no blank between words: Thai, Lao, Burmese, Khmer, kana, Han."""
_UNSPACED_WORD: Final = 2
"""Of these letters, a word has about so many, or more."""
_WORDS: Final = 8
"""Words of a short prompt that asks for the same again in another form."""


@cache
def _phrases() -> dict[str, frozenset[str]]:
    """The phrases of each section of the file in the wheel."""
    text = resources.files(__package__).joinpath("turns.txt").read_text(encoding="utf-8")
    sections = _SECTION.split(text)[1:]
    return {
        name: frozenset(filter(None, map(_folded, phrases.replace("\n", ",").split(","))))
        for name, phrases in zip(sections[::2], sections[1::2], strict=True)
    }


def _folded(text: str) -> str:
    """Lower case, one blank between words, and no marks but those inside of words."""
    if text.isascii():
        kept = text.lower().translate(_ASCII_BLANKS)
    else:
        text = unicodedata.normalize("NFKC", text).replace("\u2019", "'").casefold()
        kept = "".join(c if _is_kept(c) else " " for c in text)
    return " ".join(word for each in kept.split() if (word := each.strip("'-")))


def _is_kept(character: str) -> bool:
    return character in "'-" or unicodedata.category(character)[0] in "LMN"


_ASCII_BLANKS: Final = {code: " " for code in range(128) if not _is_kept(chr(code))}


class LexicalTurnReader:
    """`core.ports.TurnReader` over lists of phrases and the shapes of pasted lines."""

    def __init__(self) -> None:
        phrases = _phrases()
        self._no_task, self._vague = phrases["no task"], phrases["vague"]
        self._courtesy = phrases["courtesy"]
        self._before = tuple(f"{word} " for word in self._courtesy)
        self._behind = tuple(f" {word}" for word in self._courtesy)
        self._nothing = self._no_task | self._courtesy
        self._form = re.compile(
            rf"(?<![a-z])({'|'.join(map(re.escape, phrases['forms']))})(?![a-z])"
        )

    def read(self, prompt: str) -> TurnReading | None:
        """The reading; `None` where the prompt has neither a letter nor a digit."""
        if _is_json(prompt):
            return _NO_TASK
        if len(prompt) > _LONGEST:
            return _NO_TASK if _is_paste(prompt) else _TASK
        folded = _folded(prompt)
        if not folded:
            return None
        if folded in self._no_task or folded.isdecimal() or self._says_nothing(prompt):
            return _NO_TASK
        if self._blunt(folded) in self._vague:
            return _VAGUE
        return _NO_TASK if _is_paste(prompt) else _TASK

    def wants_another_form(self, prompt: str) -> bool:
        """Whether a short prompt asks for the same in another form ("now in Rust")."""
        if len(prompt) > _LONGEST or len(prompt.split()) > _WORDS:
            return False
        folded = unicodedata.normalize("NFKC", prompt).casefold().strip(" .!?,;:")
        named = self._form.search(folded)
        # The name alone answers a question.
        return named is not None and named.group() != folded

    def _says_nothing(self, prompt: str) -> bool:
        """Whether each clause is a phrase without a task ("thanks, go on")."""
        clauses = [clause for text in _CLAUSES.split(prompt) if (clause := _folded(text))]
        return all({clause, self._blunt(clause)} & self._nothing for clause in clauses)

    def _blunt(self, clause: str) -> str:
        """The clause without an "ok" or a "please" before or behind it, in any language."""
        # Most have none, which two comparisons with all words tell in a tenth of the loop's time.
        if not (clause.startswith(self._before) or clause.endswith(self._behind)):
            return clause
        shorter = clause
        for word in self._courtesy:
            shorter = shorter.removeprefix(f"{word} ").removesuffix(f" {word}")
        return clause if shorter == clause else self._blunt(shorter)


def _is_json(prompt: str) -> bool:
    """Whether it is a bare JSON object or array without an instruction in it, cut off or not."""
    text = prompt.strip()
    if text[:1] not in ("{", "["):
        return False
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        is_cut = error.msg.startswith("Unterminated string") or error.pos >= len(text)
        return is_cut and len(text) > _LONGEST and not _has_words(re.findall(r'"([^"]*)"', text))
    except (ValueError, RecursionError):
        return False
    return not _has_words(_strings(value))


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)
    elif isinstance(value, dict):
        yield from _strings(list(value.values()))


def _has_words(texts: Iterable[str]) -> bool:
    return any(_words(text) > _JSON_WORDS for text in texts)


def _words(text: str) -> int:
    """Words of a text in any script; where there are no blanks, an estimate."""
    unspaced = 0 if text.isascii() else len(_UNSPACED.findall(text))
    return len(text.split()) + unspaced // _UNSPACED_WORD


def _is_paste(prompt: str) -> bool:
    """Whether every line is one of a program's output."""
    lines = [line.strip() for line in prompt.splitlines() if line.strip()]
    if len(lines) < _LINES:
        return False
    marked = [any(p.match(line) for p in _PASTE) for line in lines]
    # A wish stands in front of a paste or behind it.
    return marked[0] and marked[-1] and sum(marked) * 10 >= len(lines) * 6
