"""Reading fields of a request, and noting every one that is out of bounds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from google.protobuf.message import Message

from pointsman_server.core.errors import FieldViolation, InvalidRequest

IDENTIFIER_CODE_POINTS = 256
T = TypeVar("T")


class Fields:
    """Collects violations while a request is read; the first one does not hide the others."""

    def __init__(self) -> None:
        self._violations: list[FieldViolation] = []

    def bad(self, field: str, description: str) -> None:
        """Note that `field` is out of bounds."""
        self._violations.append(FieldViolation(field, description))

    def check(self) -> None:
        """Raise `InvalidRequest` if anything was noted."""
        if self._violations:
            raise InvalidRequest(self._violations)

    def identifier(self, field: str, text: str) -> str:
        """A trimmed, non-blank text of at most 256 code points."""
        trimmed = text.strip()
        if not trimmed:
            self.bad(field, "must not be blank")
        elif len(trimmed) > IDENTIFIER_CODE_POINTS:
            self.bad(field, f"must be at most {IDENTIFIER_CODE_POINTS} characters")
        return trimmed

    def optional_identifier(self, path: str, message: Message, field: str) -> str | None:
        """The same for a field that may be absent: absent is fine, blank is not."""
        if not message.HasField(field):
            return None
        return self.identifier(f"{path}.{field}", getattr(message, field))

    def identifiers(self, field: str, texts: Iterable[str], *, most: int) -> tuple[str, ...]:
        """A list of identifiers, of at most `most`."""
        items = tuple(texts)
        if len(items) > most:
            self.bad(field, f"must have at most {most} entries, has {len(items)}")
            return ()
        return tuple(self.identifier(f"{field}[{i}]", text) for i, text in enumerate(items))

    def choice(self, field: str, number: int, known: Mapping[int, T], default: T) -> T:
        """The value that an enum number stands for."""
        if number not in known:
            self.bad(field, f"{number} is not a value of this enum")
            return default
        return known[number]
