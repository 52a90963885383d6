"""Policy snippets of a page: each is a policy file, or a part that is laid over one."""

from __future__ import annotations

import re
from typing import Any

import yaml
from docs.parts.blocks import PageFault
from pointsman_server.policies.check import check_text
from pointsman_server.policies.loader import read

_WHOLE = {"tiers", "catalog"}
_NESTED = 2
"""Sections and what stands in them are merged key by key; what is deeper is replaced."""


def laid_over(snippet: str, *, base: str | None) -> str:
    """The policy file that a snippet makes: itself where it is whole, else over `base`.

    `base` is the built-in file where there is none.
    """
    document = yaml.safe_load(snippet)
    if base is None and document.keys() >= _WHOLE:
        return snippet
    below = yaml.safe_load(read(None) if base is None else base)
    return yaml.safe_dump(_merged(below, document, depth=_NESTED), sort_keys=False)


def checked(text: str) -> None:
    """Raises `PageFault` where `pointsman check` would find problems."""
    report = check_text(text)
    if not report.ok:
        raise PageFault("\n".join(report.lines()))


def refused(text: str) -> list[str]:
    """The problems of a file that has some. Raises `PageFault` where it has none."""
    report = check_text(text)
    if report.ok:
        raise PageFault("the policy file has no problems")
    return [re.sub(r" \(line \d+\)$", "", line) for line in report.lines()]


def _merged(below: dict[str, Any], above: dict[str, Any], *, depth: int) -> dict[str, Any]:
    return below | {
        key: _merged(below[key], value, depth=depth - 1)
        if depth and isinstance(value, dict) and isinstance(below.get(key), dict)
        else value
        for key, value in above.items()
    }
