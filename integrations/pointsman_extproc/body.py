"""A request body whose `model` can be replaced without touching any other byte."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

Body = bytes | memoryview
"""A long body is a view of the message that it came in: each copy holds up other requests."""
Pieces = tuple[Body, ...]
"""A body to be joined on the wire alone."""

_BLANKS = re.compile(r"[ \t\n\r]*")
_MEMBER = "model"
_decoder = json.JSONDecoder()


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestBody:
    """A JSON object with one top-level string `model`."""

    document: Mapping[str, object]
    model: str
    _text: str = field(repr=False)
    _start: int
    _end: int

    def span(self) -> tuple[int, int]:
        """Return the place of the value of `model` in the bytes."""
        start = len(self._text[: self._start].encode())
        return start, start + len(self._text[self._start : self._end].encode())

    def with_model(self, model: str) -> bytes:
        """Return the same bytes with another model."""
        return f"{self._text[: self._start]}{json.dumps(model)}{self._text[self._end :]}".encode()


def read_body(raw: bytes) -> RequestBody | None:
    """Read a body; `None` if it is not UTF-8, no JSON object, or has not exactly one `model`.

    Parsers differ in which of two members of one name they take, so a body with two is not read.
    """
    try:
        text = raw.decode()
        members = list(_members(text))
    except (ValueError, RecursionError):
        return None
    models = [each for each in members if each.name == _MEMBER]
    if len(models) != 1 or not isinstance(models[0].value, str):
        return None
    return RequestBody(
        document={each.name: each.value for each in members},
        model=models[0].value,
        _text=text,
        _start=models[0].start,
        _end=models[0].end,
    )


@dataclass(frozen=True, slots=True)
class _Member:
    name: str
    value: object
    start: int
    end: int


def _members(text: str) -> Iterator[_Member]:
    """Yield the members of the one object that `text` holds; `ValueError` for anything else.

    The standard decoder parses names and values; this function reads only the marks between
    them, to find where each value stands.
    """
    at = _after(text, "{", at=0)
    closed = text.startswith("}", at)
    while not closed:
        if not text.startswith('"', at):
            raise ValueError("a member has no name")
        name, at = _decoder.raw_decode(text, at)
        start = _after(text, ":", at=_blanks(text, at=at))
        value, end = _decoder.raw_decode(text, start)
        yield _Member(name, value, start, end)
        at = _blanks(text, at=end)
        closed = text.startswith("}", at)
        if not closed:
            at = _after(text, ",", at=at)
    if _blanks(text, at=at + 1) != len(text):
        raise ValueError("something follows the object")


def _after(text: str, mark: str, *, at: int) -> int:
    """Return where the next token starts behind `mark`, which may have blanks around it."""
    at = _blanks(text, at=at)
    if not text.startswith(mark, at):
        raise ValueError("no JSON object")
    return _blanks(text, at=at + 1)


def _blanks(text: str, *, at: int) -> int:
    """Return where the blanks end that begin at `at`."""
    found = _BLANKS.match(text, at)
    return at if found is None else found.end()
