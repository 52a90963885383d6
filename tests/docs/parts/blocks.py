"""The blocks of a page: every fence, and what the comment before it says of it.

A fence inside a comment is a block that readers do not see: what has to be there for the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from markdown_it import MarkdownIt

MARKS = {
    "not run": "why a test cannot run it",
    "run by": "the file of this repository that runs it",
    "file": "the name under which the page's folder gets it",
    "over": "the file of the page's folder that this policy snippet is laid over",
    "refused": "the policy snippet has problems: those of the next `text` block",
    "exits": "the status with which the commands end, where it is not 0",
    "message": "the protobuf message that this JSON is",
    "with": "what has to run beside it: `redis`",
}
SHELL = {"sh", "shell", "bash", "console"}
_COMMENT = re.compile(r"<!--(?P<marks>[^\n]*?)(?:\n(?P<body>.*))?-->\s*", re.DOTALL)


class PageFault(AssertionError):
    """A page says something that does not hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fence: its language, its text and the marks of the comment before it."""

    language: str
    text: str
    line: int
    marks: Mapping[str, str]


def blocks_of(text: str, *, first_line: int = 1) -> Iterator[Block]:
    """Every block of a page, in its order. Raises `PageFault`."""
    marks: Mapping[str, str] = {}
    for token in MarkdownIt().parse(text):
        line = first_line + (token.map[0] if token.map else 0)
        if token.type == "html_block" and (found := _COMMENT.fullmatch(token.content)):
            marks = _marks(found["marks"], line=line)
            for hidden in blocks_of(found["body"] or "", first_line=line + 1):
                yield Block(
                    language=hidden.language, text=hidden.text, line=hidden.line, marks=marks
                )
                marks = {}
            continue
        if token.type == "code_block":
            raise PageFault(f"line {line}: an indented block; a fence has a language")
        if token.type == "fence":
            if not token.info.strip():
                raise PageFault(f"line {line}: the fence has no language; `text` is one")
            yield Block(
                language=token.info.split()[0], text=token.content, line=line + 1, marks=marks
            )
        elif marks:
            raise PageFault(f"line {line}: a comment marks what is no fence")
        marks = {}


def _marks(comment: str, *, line: int) -> Mapping[str, str]:
    """`not run: why` and the like, apart by semicolons; none in any other comment."""
    marks: dict[str, str] = {}
    for each in filter(None, map(str.strip, comment.split(";"))):
        name, _, value = each.partition(":")
        if name not in MARKS:
            raise PageFault(f"line {line}: no such mark as `{name}`: {', '.join(MARKS)}")
        if not value.strip() and name != "refused":
            raise PageFault(f"line {line}: the mark `{name}` says nothing")
        marks[name] = value.strip()
    return marks


def commands(block: Block) -> Iterator[tuple[str, str]]:
    """The commands of a `console` block, each with the output that it shows.

    A command goes on in the next line after a backslash.
    """
    for each in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        found = re.match(r"(?:[^\n]*\\\n)*[^\n]*\n", each)
        command = found[0] if found else each
        yield command, each[len(command) :]


def shows(expected: str, printed: str) -> bool:
    """Whether `printed` is what a page shows; `…` stands for any text."""
    pattern = ".*?".join(map(re.escape, expected.rstrip().split("…")))
    return re.fullmatch(pattern, printed.rstrip(), re.DOTALL) is not None
