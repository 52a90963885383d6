"""Reads a JSON object field by field and remembers every one that is bad."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, cast

from pointsman_server.core.errors import Violations
from pointsman_server.http_api.limits import ID_CODE_POINTS


class JsonObject(Violations):
    """The JSON object of a body. Raises `InvalidRequest` for any other value."""

    def __init__(self, raw: object) -> None:
        super().__init__()
        if not isinstance(raw, Mapping):
            self.bad("body", "must be a JSON object")
            self.check()
        self.raw = cast("Mapping[str, Any]", raw)


class Fields(JsonObject):
    """One JSON object. Readers return a stand-in for a bad field; `check` raises for them all.

    A field that is absent and one that is `null` are the same. Fields that nobody reads are
    ignored, as a drop-in must. No message quotes a value.
    """

    def prompt(self, field: str, *, at_most: int) -> str:
        """A required text with something in it, trimmed; `at_most` counts code points."""
        value = self.raw.get(field)
        if not isinstance(value, str):
            self.bad(field, "must be a string")
            return ""
        if len(value) > at_most:
            self.bad(field, f"must be at most {at_most} characters")
            return ""
        text = _whole(value).strip()
        if not text:
            self.bad(field, "must not be blank")
        return text

    def choice(self, field: str, *, of: Collection[str], default: str) -> str:
        """One of a few words."""
        value = self.raw.get(field)
        if value is None:
            return default
        if not isinstance(value, str) or value not in of:
            self.bad(field, f"must be one of {', '.join(of)}")
            return default
        return value

    def name(self, field: str) -> str | None:
        """The name of a model; `None` where there is none."""
        value = self.raw.get(field)
        return None if value is None else self._name(field, value)

    def names(self, field: str, *, at_most: int) -> tuple[str, ...] | None:
        """A list of 1 to `at_most` names, each once; `None` where there is no list."""
        value = self.raw.get(field)
        if value is None:
            return None
        if not isinstance(value, list):
            self.bad(field, "must be a list of strings")
            return None
        if not 1 <= len(value) <= at_most:
            self.bad(field, f"must have 1 to {at_most} entries")
            return None
        read = (self._name(f"{field}[{i}]", entry) for i, entry in enumerate(value))
        return tuple(dict.fromkeys(name for name in read if name is not None))

    def _name(self, field: str, value: object) -> str | None:
        if not isinstance(value, str):
            self.bad(field, "must be a string")
            return None
        name = value.strip()
        if not name or len(name) > ID_CODE_POINTS or not name.isprintable():
            self.bad(field, f"must be 1 to {ID_CODE_POINTS} printable characters")
            return None
        return name


def _whole(text: str) -> str:
    """`text` without lone surrogates: callers that count in UTF-16 cut characters in half."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
