"""The user's words in a message, without the wrappers of agents and editors.

Every step is bounded or linear: known wrappers at the start of a part are skipped by string
search, the rest of a message is cut to `TEXT_BOUND` code points before any pattern runs over it,
and no pattern looks at a character more than a constant number of times.
"""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pointsman_client.bodies.leading import MOST_NESTED, is_wrapping, queued_words, skip_leading
from pointsman_client.bodies.preambles import QUEUED_ENDS, TRAILERS
from pointsman_client.bodies.volatile import without_volatile
from pointsman_client.bodies.wrappers import TAG, Block, block_named
from pointsman_client.model import PREFIX_CODE_POINTS

TEXT_BOUND = 32_768
"""The length of one message that is scanned, in code points; skipped wrappers do not count."""

SCAN_BOUND = 16 * TEXT_BOUND
"""The length of text without user words that is searched for some, in code points."""

NODE_BOUND = 4_096
"""The number of parts of one message that are read, including nested parts."""

# Lazy up to a bound and only tried at the start; paths in labels may contain brackets.
_RESULT_LABEL = re.compile(r"\[[^\n]{1,512}?\]\s*Result:\s*", re.IGNORECASE)
_ERROR = "[ERROR]"
_TRAILER = re.compile("|".join(rf"^{re.escape(each.starts)}" for each in TRAILERS), re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The start of a message's text after its leading wrappers."""

    text: str
    is_cut: bool = False
    """There is more text than `text` holds."""
    skipped: int = 0
    """Code points of the wrappers that were skipped."""
    resets_context: bool = False
    """The message summarises an earlier context, which its agent rebuilt."""


def text_of(content: object) -> Excerpt:
    """Read the text of a message's content: its text parts joined by newlines, no tool results."""
    leaves: list[str] = []
    room = TEXT_BOUND
    skipped = visited = 0
    resets = False
    stack: list[object] = [content]
    while stack and room > 0 and visited < NODE_BOUND:
        visited += 1
        node = stack.pop()
        if isinstance(node, str):
            leading = skip_leading(node)
            skipped += leading.end
            resets = resets or leading.resets_context
            if leading.end < len(node):
                leaves.append(node[leading.end : leading.end + room])
                room -= len(node) - leading.end + 1
        elif isinstance(node, list | tuple):
            stack.extend(reversed(node[:NODE_BOUND]))
        elif isinstance(node, Mapping) and not _is_result(node):
            text = node.get("text")
            stack.append(node.get("content") if text is None else text)
    return Excerpt("\n".join(leaves), room < 0 or bool(stack), skipped, resets)


def first_words(contents: Iterable[object]) -> str | None:
    """Find the user's words in the first of these messages that has any.

    Messages that hold only tool results cost nothing; others count against `SCAN_BOUND`.
    """
    room = SCAN_BOUND
    for content in contents:
        excerpt = text_of(content)
        if words := users_words(excerpt):
            return words
        room -= len(excerpt.text) + excerpt.skipped
        if room <= 0:
            break
    return None


def users_words(message: Excerpt) -> str:
    """Return the start of the user's words in one message, on one line; empty without any."""
    text = _spoken(message).strip()
    label = _RESULT_LABEL.match(text)
    unlabelled = text[label.end() :] if label else text
    at = unlabelled.find(_ERROR)
    # At the very start it is a pasted log, which is the prompt; after a label or after words a
    # tool appended it.
    if at > 0 or (at == 0 and label):
        unlabelled = unlabelled[:at]
    trailer = _TRAILER.search(unlabelled)
    return _on_one_line(unlabelled[: trailer.start()] if trailer else unlabelled)


def instructions(content: object) -> str:
    """Return the start of a system prompt without blocks and lines that change every turn."""
    excerpt = text_of(content)
    outside, _ = _split(excerpt)
    return _on_one_line(without_volatile("".join(outside)))


def _is_result(part: Mapping[object, object]) -> bool:
    kind = part.get("type")
    return isinstance(kind, str) and kind.endswith(("tool_result", "_call_output"))


def _spoken(message: Excerpt) -> str:
    """The inside of the first element that holds words; without one, the text outside of blocks."""
    outside, words = _split(message)
    return "".join(outside) if words is None else "".join(_split(words)[0])


def _split(excerpt: Excerpt) -> tuple[list[str], Excerpt | None]:
    """Split a text in one pass: the text outside of blocks, and the first words element.

    A block without an end is text, unless the end may lie behind the cut.
    """
    text = excerpt.text
    tags = list(TAG.finditer(text))
    ends: defaultdict[str, deque[re.Match[str]]] = defaultdict(deque)
    for tag in tags:
        if tag["close"]:
            ends[tag["name"].lower()].append(tag)
    seen: dict[Block, bool] = {}
    outside: list[str] = []
    words: Excerpt | None = None
    position = 0
    for tag in tags:
        block = block_named(tag["name"])
        if tag.start() < position or tag["close"] or block is None:
            continue
        if not is_wrapping(tag, block=block, seen=seen):
            continue
        span = _inside(tag, ends=ends[tag["name"].lower()], excerpt=excerpt)
        if span is None:
            continue
        close, end = span
        if block.words and words is None:
            words = Excerpt(text[tag.end() : close], is_cut=close == end)
        outside.append(text[position : tag.start()])
        if not block.words:
            outside.append(_queued(text, start=tag.end(), end=close))
        position = end
    outside.append(text[position:])
    return outside, words


def _inside(
    tag: re.Match[str], *, ends: deque[re.Match[str]], excerpt: Excerpt
) -> tuple[int, int] | None:
    """The end of the inside of a block, and of the block itself."""
    if tag["attributes"].endswith("/"):
        return tag.end(), tag.end()
    while ends and ends[0].start() < tag.end():
        ends.popleft()
    if ends:
        start = f"<{tag['name']}"
        nested = excerpt.text.count(start, tag.end(), ends[0].start()) if len(ends) > 1 else 0
        for _ in range(min(nested, MOST_NESTED, len(ends) - 1)):
            if excerpt.text.find(start, ends[0].end(), ends[1].start()) >= 0:
                break
            ends.popleft()
        return ends[0].start(), ends[0].end()
    return (len(excerpt.text), len(excerpt.text)) if excerpt.is_cut else None


def _queued(text: str, *, start: int, end: int) -> str:
    """The user's words inside of a reminder that passes them on; empty for any other block."""
    begin = queued_words(text, start=start)
    if begin is None or begin >= end:
        return ""
    stops = [at for mark in QUEUED_ENDS if (at := text.find(mark, begin, end)) >= 0]
    return text[begin : min(stops, default=end)]


def _on_one_line(text: str) -> str:
    return " ".join(text.replace("\ufeff", " ").split())[:PREFIX_CODE_POINTS]
