"""Reading fields of a request, and noting every one that is out of bounds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from google.protobuf.message import Message

from pointsman_server.core.errors import Violations

IDENTIFIER_CODE_POINTS = 256
NAMED_ENTRIES = 4
"""The bad entries of one list that are named: the status must fit gRPC's 8 KiB of metadata."""

T = TypeVar("T")


class Fields(Violations):
    """Reads fields of a message, and notes those that are out of bounds."""

    def identifier(self, field: str, text: str) -> str:
        """A trimmed, non-blank text of at most 256 code points."""
        trimmed = text.strip()
        if not 0 < len(trimmed) <= IDENTIFIER_CODE_POINTS:
            self._misnamed(field, trimmed)
        return trimmed

    def optional_identifier(self, path: str, message: Message, field: str) -> str | None:
        """The same for a field that may be absent: absent is fine, blank is not.

        `path` is the message's own; empty: the request itself.
        """
        if not message.HasField(field):
            return None
        trimmed: str = getattr(message, field).strip()
        # A path is put together only where there is something to say of it.
        if not 0 < len(trimmed) <= IDENTIFIER_CODE_POINTS:
            self._misnamed(f"{path}.{field}" if path else field, trimmed)
        return trimmed

    def identifiers(self, field: str, texts: Iterable[str], *, most: int) -> tuple[str, ...]:
        """A list of identifiers, of at most `most`."""
        items = tuple(texts)
        if len(items) > most:
            self.bad(field, f"must have at most {most} entries, has {len(items)}")
            return ()
        read = tuple([text.strip() for text in items])
        inside = Fields()
        for i, text in enumerate(read):
            if not 0 < len(text) <= IDENTIFIER_CODE_POINTS:
                inside._misnamed(f"{field}[{i}]", text)
        self._take(field, inside)
        return read

    def choice(self, field: str, number: int, known: Mapping[int, T], default: T) -> T:
        """The value that an enum number stands for."""
        if number not in known:
            self.bad(field, f"{number} is not a value of this enum")
            return default
        return known[number]

    def choices(self, field: str, numbers: Sequence[int], known: Mapping[int, T]) -> frozenset[T]:
        """The values that a list of enum numbers stands for."""
        items = numbers[:]  # a message's own list takes ten times as long to walk
        found = frozenset(items)
        if not found <= known.keys():
            wrong = [i for i, number in enumerate(items) if number not in known]
            for i in wrong[:NAMED_ENTRIES]:
                self.bad(f"{field}[{i}]", f"{items[i]} is not a value of this enum")
            self._unnamed(field, len(wrong))
        return frozenset(known[number] for number in found if number in known)

    def _misnamed(self, field: str, trimmed: str) -> None:
        if trimmed:
            self.bad(field, f"must be at most {IDENTIFIER_CODE_POINTS} characters")
        else:
            self.bad(field, "must not be blank")

    def _take(self, field: str, entries: Fields) -> None:
        self._violations += entries._violations[:NAMED_ENTRIES]
        self._unnamed(field, len(entries._violations))

    def _unnamed(self, field: str, bad: int) -> None:
        if bad > NAMED_ENTRIES:
            self.bad(field, f"has {bad - NAMED_ENTRIES} more bad entries")
