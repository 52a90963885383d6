"""A lexical reader of turns: greetings, confirmations and bare pastes, in the languages of users.

It is sure of what it lists and of nothing else: a prompt that it does not know is a task.
"""

from __future__ import annotations

import json
import re
import unicodedata
from functools import cache
from importlib import resources
from typing import Final

from pointsman_server.core.turn import TurnReading
from pointsman_server.engines.local.bare_json import is_bare_json
from pointsman_server.engines.local.pastes import is_paste

_LONGEST: Final = 48
"""Characters of a turn that is looked up; what is longer says more than "go on"."""
_SURE: Final = 0.95
_TASK: Final = TurnReading(turn=0.0, needs_info=0.0)
_NO_TASK: Final = TurnReading(turn=_SURE, needs_info=0.0)
_VAGUE: Final = TurnReading(turn=0.0, needs_info=_SURE)


_CLAUSES: Final = re.compile(r"[,.;:!?\u3001\u3002\uff0c\uff01\uff1f\n]+")
_GAP: Final = "\x00"
"""In place of a file's name; a break between clauses."""
_BREAKS: Final = re.compile(rf"{_CLAUSES.pattern}|{_GAP}")
_COMMENT: Final = re.compile(r"^#.*$", re.MULTILINE)
_SECTION: Final = re.compile(r"^\[(.+)\]$", re.MULTILINE)
_FILE: Final = (
    r"(?<![A-Za-z0-9_])(?:([A-Za-z0-9_.~/\\@-]*[A-Za-z0-9_])\.(?:{extensions})"
    r"|Dockerfile|Makefile|Jenkinsfile)(?![A-Za-z0-9_])"
)
_NAMED: Final = 160
"""Characters of a short prompt that names a file."""
_PHRASE: Final = 5
"""Words of a phrase that is looked for within a clause."""
_WORDS: Final = 8
"""Words of a short prompt that asks for the same again in another form."""


@cache
def _phrases() -> dict[str, frozenset[str]]:
    """The phrases of each section of the file in the wheel."""
    text = resources.files(__package__).joinpath("turns.txt").read_text(encoding="utf-8")
    sections = _SECTION.split(_COMMENT.sub("", text))[1:]
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
    """`core.ports.TurnReader` over lists of phrases, shapes of pasted lines, and files' names."""

    def __init__(self) -> None:
        phrases = _phrases()
        self._no_task, self._vague = phrases["no task"], phrases["vague"]
        self._courtesy = phrases["courtesy"]
        self._before = tuple(f"{word} " for word in self._courtesy)
        self._behind = tuple(f" {word}" for word in self._courtesy)
        self._nothing = self._no_task | self._courtesy
        self._idle = self._nothing | phrases["particles"]
        self._asks, self._wishes = phrases["asks"], phrases["wishes"]
        extensions = "|".join(sorted(phrases["extensions"]))
        self._file = re.compile(_FILE.format(extensions=extensions), re.IGNORECASE)
        self._form = re.compile(
            rf"(?<![a-z])({'|'.join(map(re.escape, phrases['forms']))})(?![a-z])"
        )

    def read(self, prompt: str) -> TurnReading | None:
        """The reading; `None` where the prompt has neither a letter nor a digit."""
        if self._is_json(prompt):
            return _NO_TASK
        if len(prompt) > _LONGEST:
            return _NO_TASK if is_paste(prompt, wishes=self._wishes) else _TASK
        folded = _folded(prompt)
        if not folded:
            return None
        if folded in self._no_task or folded.isdecimal() or self._says_nothing(prompt):
            return _NO_TASK
        if self._blunt(folded) in self._vague:
            return _VAGUE
        return _NO_TASK if is_paste(prompt, wishes=self._wishes) else _TASK

    def is_surely_task(self, prompt: str) -> bool:
        """Whether a short prompt that `read` takes for a task is one, whatever an estimate says."""
        if prompt.lstrip()[:1] in ("{", "["):
            return self._is_value(prompt)
        return self.works_on_a_file(prompt) or self.wants_another_form(prompt)

    def works_on_a_file(self, prompt: str) -> bool:
        """Whether a short prompt names a file and what to do with it ("Sort b.py").

        A name alone, or behind a "yes" or a preposition, answers a question.
        """
        if len(prompt) > _NAMED:
            return False
        rest, found = self._file.subn(self._without_file, prompt)
        return found > 0 and rest.count(_GAP) > 0 and self.says_something(rest)

    def _without_file(self, match: re.Match[str]) -> str:
        # "ok.go on" lacks a blank.
        is_phrase = match[0].endswith(".go") and _folded(match[1]) in self._nothing
        return match[0] if is_phrase else f" {_GAP} "

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

    def says_something(self, text: str) -> bool:
        """Whether a text has a word that is neither a particle nor of a phrase without a task."""
        return any(self._has_content(_folded(clause).split()) for clause in _BREAKS.split(text))

    def _has_content(self, words: list[str]) -> bool:
        at = 0
        while at < len(words):
            lengths = range(min(_PHRASE, len(words) - at), 0, -1)
            known = next((n for n in lengths if " ".join(words[at : at + n]) in self._idle), 0)
            if not known:
                return True
            at += known
        return False

    def _is_json(self, prompt: str) -> bool:
        return is_bare_json(prompt, asks=self._asks, says=self.says_something)

    def _is_value(self, prompt: str) -> bool:
        """Whether it is a whole JSON value: then `read` found an instruction in it."""
        try:
            return isinstance(json.loads(prompt), dict | list)
        except (ValueError, RecursionError):
            return False

    def _blunt(self, clause: str) -> str:
        """The clause without an "ok" or a "please" before or behind it, in any language."""
        # Most have none, which two comparisons with all words tell in a tenth of the loop's time.
        if not (clause.startswith(self._before) or clause.endswith(self._behind)):
            return clause
        shorter = clause
        for word in self._courtesy:
            shorter = shorter.removeprefix(f"{word} ").removesuffix(f" {word}")
        return clause if shorter == clause else self._blunt(shorter)
