"""The single values of a policy file, as annotations: each knows its bounds and says them.

`Annotated[float, number(0, 100)]` is checked by that `Scalar` alone, so that one message names
both bounds and the JSON Schema has them too. No message repeats the value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TypeGuard

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from pointsman_server.lib.durations import PATTERN, seconds_of

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_ENGINE = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_LONGEST_PATH = 4_096


@dataclass(frozen=True, slots=True, eq=False)
class Scalar:
    """One kind of value. Compared by identity, because an annotation must be hashable."""

    checked: Callable[[object], object]
    """Takes the parsed YAML and returns the value, or raises ValueError with a sentence."""
    json_schema: Mapping[str, object]
    bounds: str
    """In words, for people: `1ms to 1m`."""

    def __get_pydantic_core_schema__(
        self, _source: object, _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.checked)

    def __get_pydantic_json_schema__(
        self, _schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> dict[str, object]:
        return {**self.json_schema, "$comment": self.bounds}


def number(minimum: float, maximum: float) -> Scalar:
    """Describe a number between two bounds, both allowed."""
    bounds = f"{minimum:,} to {maximum:,}"

    def checked(value: object) -> float:
        if not _is_number(value) or not minimum <= value <= maximum:
            raise ValueError(f"must be a number from {bounds}")
        return float(value)

    return Scalar(checked, {"type": "number", "minimum": minimum, "maximum": maximum}, bounds)


def whole(minimum: int, maximum: int) -> Scalar:
    """Describe a whole number between two bounds, both allowed."""
    bounds = f"{minimum:,} to {maximum:,}"

    def checked(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not minimum <= value <= maximum:
            raise ValueError(f"must be a whole number from {bounds}")
        return value

    return Scalar(checked, {"type": "integer", "minimum": minimum, "maximum": maximum}, bounds)


def duration(minimum: str, maximum: str) -> Scalar:
    """Describe seconds as a number, or text with a unit (`50ms`, `30m`) like the bounds."""
    least, most = seconds_of(minimum), seconds_of(maximum)
    bounds = f"{minimum} to {maximum}"

    def checked(value: object) -> float:
        seconds = seconds_of(value)
        if not least <= seconds <= most:
            raise ValueError(f"must be a duration from {bounds}")
        return seconds

    number_schema = {"type": "number", "minimum": least, "maximum": most}
    text_schema = {"type": "string", "pattern": f"^{PATTERN}$"}
    return Scalar(checked, {"anyOf": [number_schema, text_schema]}, bounds)


def name(longest: int = 256) -> Scalar:
    """Describe an id or a name: printable text without spaces."""
    bounds = f"1 to {longest} characters"

    def checked(value: object) -> str:
        if not _is_line(value, longest) or " " in value:
            raise ValueError(f"must be text of {bounds} without spaces")
        return value

    return Scalar(checked, {"type": "string", "minLength": 1, "maxLength": longest}, bounds)


def engine_name() -> Scalar:
    """Describe the name of an engine: it stands in metrics, spans and answers."""

    def checked(value: object) -> str:
        if not isinstance(value, str) or not _ENGINE.fullmatch(value):
            raise ValueError("must be 1 to 32 of `a-z 0-9 _ -`, beginning with a letter")
        return value

    schema = {"type": "string", "pattern": f"^{_ENGINE.pattern}$"}
    return Scalar(checked, schema, "1 to 32 of a-z 0-9 _ -")


def phrase(longest: int) -> Scalar:
    """Describe a name that may be of several words (`computer science`)."""
    bounds = f"1 to {longest} characters"

    def checked(value: object) -> str:
        if not _is_line(value, longest) or value != value.strip():
            raise ValueError(f"must be text of {bounds}, without spaces around it")
        return value

    return Scalar(checked, {"type": "string", "minLength": 1, "maxLength": longest}, bounds)


def calendar_date() -> Scalar:
    """Describe a day in ISO 8601, as text; YAML reads it as a date where it is not quoted."""

    def checked(value: object) -> str:
        text = value.isoformat() if type(value) is date else value
        try:
            return date.fromisoformat(str(text)).isoformat()
        except ValueError:
            raise ValueError("must be a date such as `2026-10-01`") from None

    return Scalar(checked, {"type": "string", "format": "date"}, "date, `YYYY-MM-DD`")


def file_path() -> Scalar:
    """Describe a path on the machine that runs the service; it need not exist yet."""

    def checked(value: object) -> str:
        if not _is_line(value, _LONGEST_PATH):
            raise ValueError("must be the path of a file")
        return value

    schema = {"type": "string", "minLength": 1, "maxLength": _LONGEST_PATH}
    return Scalar(checked, schema, f"path, 1 to {_LONGEST_PATH:,} characters")


def variable_name() -> Scalar:
    """Describe the name of an environment variable (not its value)."""

    def checked(value: object) -> str:
        if not isinstance(value, str) or not _VARIABLE.fullmatch(value):
            raise ValueError("must be the name of an environment variable: letters, digits, `_`")
        return value

    schema = {"type": "string", "pattern": f"^{_VARIABLE.pattern}$"}
    return Scalar(checked, schema, "name of a variable, 1 to 128 characters")


def raw_text(longest: int = 256) -> Scalar:
    """Describe any single value, stored as text: `true` and `false` as YAML writes them."""
    bounds = f"at most {longest} printable characters"

    def checked(value: object) -> str:
        text = str(value).lower() if isinstance(value, bool) else str(value)
        single = isinstance(value, str | int | float) and text.strip().isprintable()
        if not single or len(text) > longest:
            raise ValueError(f"must be a single value of {bounds}")
        return text

    return Scalar(checked, {"type": ["string", "number", "boolean"]}, bounds)


def _is_number(value: object) -> TypeGuard[float]:
    """Tell whether `value` is a number; Python counts booleans among them, YAML does not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_line(value: object, longest: int) -> TypeGuard[str]:
    """Tell whether `value` is text that fits one line: neither empty nor too long."""
    return isinstance(value, str) and 1 <= len(value) <= longest and value.isprintable()
