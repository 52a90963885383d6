"""Checks that both formats share. No message quotes a value."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pointsman_server.core.model import PROMPT_CODE_POINTS
from pointsman_server.http_api.fields import JsonObject
from pointsman_server.http_api.limits import ID_CODE_POINTS, Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question; `options` is empty for yes or no."""

    name: str
    type: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A request of either format."""

    model: str
    prompt: str
    """At most `PROMPT_CODE_POINTS`, the limit of the reader."""
    tokens: int
    questions: tuple[Question, ...]


class Checker(JsonObject):
    """Checks the fields of one body; `check` raises for all bad ones."""

    def __init__(self, raw: object, *, limits: Limits) -> None:
        super().__init__(raw)
        self._limits = limits

    def name(self, field: str, value: object) -> str:
        """Read a required name."""
        if isinstance(value, str) and 1 <= len(value) <= ID_CODE_POINTS and value.isprintable():
            return value
        self.bad(field, f"must be 1 to {ID_CODE_POINTS} printable characters")
        return ""

    def text(self, field: str, value: object) -> str:
        """Read a required text, or JSON that is read as text."""
        text = value if isinstance(value, str) else ""
        if isinstance(value, Mapping | list):
            text = json.dumps(value, ensure_ascii=False)
        if not text.strip():
            self.bad(field, "must be text, an object or a list, and not blank")
        elif len(text) > self._limits.input_code_points:
            self.bad(field, f"must be at most {self._limits.input_code_points} characters")
        return text.strip()

    def fields(self, field: str, value: Mapping[str, Any], known: Collection[str]) -> None:
        """Refuse fields that the format does not have."""
        for name in value:
            if name not in known:
                self.bad(field, f"has a field besides {', '.join(known)}")
                return

    def count(self, field: str, value: Collection[object], low: int, high: int) -> bool:
        """Check the number of entries."""
        if low <= len(value) <= high:
            return True
        self.bad(field, f"must have {low} to {high} entries")
        return False


def body_of(checker: Checker, *, model: str, text: str, questions: list[Question]) -> Body:
    """Give the body once every field was read. Raises `InvalidRequest`."""
    checker.check()
    return Body(
        model=model,
        prompt=text[:PROMPT_CODE_POINTS],
        tokens=max(len(text) // 4, 1),
        questions=tuple(questions),
    )
