"""Errors in a policy file, stored by path until their lines are known."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice

from pointsman_server.core.errors import Problem

KeyPath = tuple[str | int, ...]
"""Keys and list positions from the top of the file."""

MOST_PROBLEMS = 100
"""Nobody reads more than these, and log lines stay bounded."""

_LONGEST_NAME = 80
_SHOWN_OF_A_SECRET = 4
_TYPED_BY_HAND = re.compile(r"[A-Za-z]{1,16}(?:_[a-z]{1,16}){0,3}")
_SECRET = re.compile(
    r"(?:sk|pk|rk|ghp|gho|ghs|github_pat|glpat|xox[a-z]|AKIA|ASIA|AIza|eyJ|hf|npm)[-_A-Za-z0-9]{12,}"
    r"|(?=[A-Za-z+/=]*[0-9])[A-Za-z0-9+/=]{32,}"
)
_MOST_COMPARED = 300


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing wrong, or worth a warning, at `path`."""

    path: KeyPath
    message: str


class Unknown(str):
    """A key that may be a secret in the wrong place: `shown` prints its beginning alone."""

    __slots__ = ()


def unknown_key(key: str, *, near: bool) -> str:
    """Mark a key as `Unknown` unless it is `near` a known one or looks typed by hand."""
    return key if near or _TYPED_BY_HAND.fullmatch(key) else Unknown(key)


def shown(name: str) -> str:
    """Make a name from the file safe to print: bounded, without control characters."""
    if not name:
        return '""'
    if isinstance(name, Unknown) or _SECRET.search(name):
        name = f"{name[:_SHOWN_OF_A_SECRET]}..."
    cut = name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}..."
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in cut)


def named(names: Iterable[str]) -> str:
    """Write names for a sentence: `` `a`, `b` ``."""
    return ", ".join(f"`{shown(name)}`" for name in names)


def meant(name: str, known: Iterable[str]) -> str:
    """End a message about an unknown name with the nearest known one, where one is near."""
    near = get_close_matches(name[:_LONGEST_NAME], islice(known, _MOST_COMPARED), n=1, cutoff=0.6)
    return f"; did you mean `{shown(near[0])}`?" if near else ""


def render_path(path: KeyPath) -> str:
    """Write `tiers.kilo-auto/small.candidates[1]`; nothing for the file as a whole."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{shown(part)}" if text else shown(part)
    return text


def to_problems(
    faults: Sequence[Diagnostic], *, lines: Mapping[KeyPath, int]
) -> tuple[Problem, ...]:
    """Put faults in the file's order, each with its line; `MOST_PROBLEMS` at most."""
    ordered = sorted(dict.fromkeys(faults), key=lambda fault: _line(fault.path, lines))
    problems = [
        Problem(render_path(fault.path), _with_line(fault.message, _line(fault.path, lines)))
        for fault in ordered[:MOST_PROBLEMS]
    ]
    if len(ordered) > MOST_PROBLEMS:
        problems.append(Problem("", f"has more problems than these {MOST_PROBLEMS}"))
    return tuple(problems)


def _line(path: KeyPath, lines: Mapping[KeyPath, int]) -> int:
    """Find the line of `path`, else of the nearest thing around it; 0 where nothing is known."""
    for end in range(len(path), 0, -1):
        if path[:end] in lines:
            return lines[path[:end]]
    return 0


def _with_line(message: str, line: int) -> str:
    return f"{message} (line {line})" if line else message
