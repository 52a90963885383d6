"""The text of a message, without what agents and editors wrap around the user's words.

Every step is bounded or linear: a message is cut to `TEXT_BOUND` code points before any pattern
runs over it, and no pattern looks at a character more than a constant number of times.
"""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pointsman_client.model import PREFIX_CODE_POINTS

TEXT_BOUND = 32_768
"""How much of one message is looked at, in code points."""

SCAN_BOUND = 4 * TEXT_BOUND
"""How much text without a word of the user is looked at in search of some, in code points."""

NODE_BOUND = 4_096
"""How many parts of one message are looked at, those inside other parts included."""

_TAG = re.compile(
    r"<(?P<close>/?)(?P<name>thinking|environment_details|file_content|file|read_file|search_files)"
    r"(?=[\s/>])(?P<attributes>[^<>]*)>",
    re.IGNORECASE,
)
_TASK = re.compile(r"<task>", re.IGNORECASE)
_TASK_END = re.compile(r"</task>", re.IGNORECASE)
_PATH = re.compile(r"\s*<path>", re.IGNORECASE)
# Lazy up to a bound and only tried at the start; paths in labels may have brackets of their own.
_RESULT_LABEL = re.compile(r"\[[^\n]{1,512}?\]\s*Result:\s*", re.IGNORECASE)
_ERROR = "[ERROR]"


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The start of a message's text; `is_cut` when there was more."""

    text: str
    is_cut: bool = False


def text_of(content: object) -> Excerpt:
    """The text of a message's content: its text parts joined by newlines; results of tools not."""
    leaves: list[str] = []
    room = TEXT_BOUND
    stack: list[object] = [content]
    visited = 0
    while stack and room > 0 and visited < NODE_BOUND:
        visited += 1
        node = stack.pop()
        if isinstance(node, str):
            if node:
                leaves.append(node[:room])
                room -= len(node) + 1
        elif isinstance(node, list | tuple):
            stack.extend(reversed(node[:NODE_BOUND]))
        elif isinstance(node, Mapping) and not _is_result(node):
            text = node.get("text")
            stack.append(node.get("content") if text is None else text)
    return Excerpt("\n".join(leaves), is_cut=room < 0 or bool(stack))


def first_words(contents: Iterable[object]) -> str | None:
    """The user's words in the first of these messages that has any.

    Messages that hold tool results cost nothing; others count against `SCAN_BOUND`.
    """
    room = SCAN_BOUND
    for content in contents:
        excerpt = text_of(content)
        if words := users_words(excerpt):
            return words
        room -= len(excerpt.text)
        if room <= 0:
            break
    return None


def users_words(message: Excerpt) -> str:
    """The start of what the user said in one message, on one line; empty if that is nothing."""
    text = _without_blocks(_first_task(message)).strip()
    label = _RESULT_LABEL.match(text)
    unlabelled = text[label.end() :] if label else text
    at = unlabelled.find(_ERROR)
    # At the very start it is a pasted log, which is the prompt; after a label or after words it
    # is what a tool appended.
    if at > 0 or (at == 0 and label):
        unlabelled = unlabelled[:at]
    return _on_one_line(unlabelled)


def instructions(content: object) -> str:
    """The start of a system prompt without the blocks that change every turn."""
    return _on_one_line(_without_blocks(text_of(content)))


def _is_result(part: Mapping[object, object]) -> bool:
    kind = part.get("type")
    return isinstance(kind, str) and kind.endswith(("tool_result", "_call_output"))


def _first_task(excerpt: Excerpt) -> Excerpt:
    """The inside of the first task block; all where there is none."""
    start = _TASK.search(excerpt.text)
    if start is None:
        return excerpt
    end = _TASK_END.search(excerpt.text, start.end())
    if end is not None:
        return Excerpt(excerpt.text[start.end() : end.start()])
    # Its end may lie behind the cut; without a cut it is no block.
    return Excerpt(excerpt.text[start.end() :], is_cut=True) if excerpt.is_cut else excerpt


def _without_blocks(excerpt: Excerpt) -> str:
    """The text outside of blocks, in one pass. A block without an end is text, unless cut off."""
    tags = list(_TAG.finditer(excerpt.text))
    ends: defaultdict[str, deque[re.Match[str]]] = defaultdict(deque)
    for tag in tags:
        if tag["close"]:
            ends[tag["name"].lower()].append(tag)
    kept: list[str] = []
    position = 0
    for tag in tags:
        if tag.start() < position or tag["close"] or not _is_wrapping(tag):
            continue
        end = _end_of(tag, ends=ends[tag["name"].lower()], excerpt=excerpt)
        if end is not None:
            kept.append(excerpt.text[position : tag.start()])
            position = end
    kept.append(excerpt.text[position:])
    return "".join(kept)


def _end_of(tag: re.Match[str], *, ends: deque[re.Match[str]], excerpt: Excerpt) -> int | None:
    if tag["attributes"].endswith("/"):
        return tag.end()
    while ends and ends[0].start() < tag.end():
        ends.popleft()
    if ends:
        return ends[0].end()
    return len(excerpt.text) if excerpt.is_cut else None


def _is_wrapping(tag: re.Match[str]) -> bool:
    """Whether an opening tag is an agent's. A bare `<file>` is likely the user's own XML."""
    if tag["name"].lower() != "file":
        return True
    return bool(tag["attributes"].strip(" \t\r\n/")) or bool(_PATH.match(tag.string, tag.end()))


def _on_one_line(text: str) -> str:
    return " ".join(text.replace("\ufeff", " ").split())[:PREFIX_CODE_POINTS]
