"""The size of a body as JSON, without writing it."""

from __future__ import annotations

from collections.abc import Mapping

_SCALAR = 4
"""Bytes of a number, a boolean or null."""
_ESCAPE_EVERY = 40
"""Characters of code for one escaped line end or quotation mark."""
_SAMPLE = 4_096
"""Longer texts beyond ASCII are encoded in part."""


def json_bytes(body: object) -> int:
    """Estimate the bytes of `body` as compact JSON; escapes and numbers are guessed."""
    total = 0
    stack = [body]
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            total += _string(node)
        elif isinstance(node, Mapping):
            total += 1 + 2 * len(node)  # braces, colons, commas
            for key, value in node.items():
                total += _string(key) if isinstance(key, str) else _SCALAR
                stack.append(value)
        elif isinstance(node, list | tuple):
            total += 1 + max(1, len(node))
            stack.extend(node)
        else:
            total += _SCALAR
    return total


def _string(text: str) -> int:
    if text.isascii():
        return len(text) + len(text) // _ESCAPE_EVERY + 2
    sample = text[:_SAMPLE]
    ratio = len(sample.encode("utf-8", "surrogatepass")) / len(sample)
    return int(len(text) * ratio) + 2
