"""Labelled requests as JSON lines: `{"id"?, "prompt", "effort" or "difficulty", "domain"?}`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from pointsman_server.core.engine_rules import DOMAINS
from pointsman_server.core.errors import LinesInvalid
from pointsman_server.engines.local.readers import DIFFICULTIES

MOST_SHOWN: Final = 20
_MOST_EFFORT: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledRequest:
    """One request with its label: an effort or a difficulty, and perhaps a domain."""

    prompt: str
    effort: int | None
    """1..5; `None`: only `difficulty` is known."""
    difficulty: str
    domain: str | None


def parse(lines: Iterable[str | bytes]) -> list[LabelledRequest]:
    """Read all lines that are not blank. Raises `LinesInvalid` with every bad line."""
    found: list[LabelledRequest] = []
    problems: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found.append(_request(line))
        except ValueError as error:
            problems.append(f"line {number}: {error}")
    if len(problems) > MOST_SHOWN:
        problems[MOST_SHOWN:] = [f"and {len(problems) - MOST_SHOWN} more lines"]
    if problems:
        raise LinesInvalid(problems)
    return found


def _request(line: str | bytes) -> LabelledRequest:
    try:
        text = line.decode("utf-8-sig") if isinstance(line, bytes) else line
        entry: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None
    if not isinstance(entry, dict):
        raise ValueError("not an object")  # noqa: TRY004  (one kind of error for every bad line)
    prompt = entry.get("prompt")
    if not isinstance(prompt, str) or not prompt.strip():
        raise ValueError("prompt: not a text")
    effort = _effort(entry.get("effort"))
    difficulty = _difficulty(effort, entry.get("difficulty"))
    domain = entry.get("domain")
    if domain is not None and domain not in DOMAINS:
        raise ValueError(f"domain: not one of {', '.join(DOMAINS)}")
    return LabelledRequest(prompt=prompt, effort=effort, difficulty=difficulty, domain=domain)


def _effort(given: Any) -> int | None:
    """The effort; a table's export may write 3 as 3.0. Raises `ValueError` that names it."""
    if given is None:
        return None
    number = isinstance(given, int | float) and not isinstance(given, bool)
    if not number or given not in range(1, _MOST_EFFORT + 1):
        raise ValueError(f"effort: not a whole number from 1 to {_MOST_EFFORT}")
    return int(given)


def _difficulty(effort: int | None, given: Any) -> str:
    """The difficulty by effort or as given. Raises `ValueError` that names the field."""
    if given is not None and given not in DIFFICULTIES:
        raise ValueError(f"difficulty: not one of {', '.join(DIFFICULTIES)}")
    if effort is None:
        if given is None:
            raise ValueError("effort: missing, and so is difficulty")
        return str(given)
    found = difficulty_of(effort)
    if given not in {None, found}:
        raise ValueError(f"difficulty: effort {effort} is {found}")
    return found


def difficulty_of(effort: int) -> str:
    """The difficulty that an effort of 1..5 stands for."""
    return DIFFICULTIES[(effort > 2) + (effort > 3)]  # noqa: PLR2004
