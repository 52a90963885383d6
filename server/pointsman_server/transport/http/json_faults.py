"""Find the bad fields of a JSON body that is no message: unknown ones, and values of wrong types.

Runs for refused bodies only, whose first fault `json_format` has found; it names them all, by the
contract's names as over gRPC.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, cast

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from pointsman_server.core.errors import FieldViolation

MOST_NAMED = 8
"""Bad fields that are named."""
_MOST_PROBES = 2_000
"""Values to look at: a body may hold a million, of which json_format has found a bad one."""
_LONGEST_KEY = 64
_SIGNED, _UNSIGNED = "must be an integer", "must be an integer of at least 0"
_EXPECTED: Mapping[int, str] = {
    FieldDescriptor.TYPE_STRING: "must be a string of Unicode text",
    FieldDescriptor.TYPE_BOOL: "must be true or false",
    FieldDescriptor.TYPE_DOUBLE: "must be a number",
    FieldDescriptor.TYPE_FLOAT: "must be a number",
    FieldDescriptor.TYPE_INT32: _SIGNED,
    FieldDescriptor.TYPE_INT64: _SIGNED,
    FieldDescriptor.TYPE_UINT32: _UNSIGNED,
    FieldDescriptor.TYPE_UINT64: _UNSIGNED,
    FieldDescriptor.TYPE_BYTES: "must be base64",
}


def faults_of(data: bytes, kind: type[Message], *, strict: bool) -> list[FieldViolation]:
    """List the bad fields of `data`, a `kind` in JSON; empty if none explains the refusal.

    With `strict`, unknown fields are bad.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return []
    descriptor = cast("Descriptor", kind.DESCRIPTOR)
    return list(islice(_Search(strict=strict).in_message(document, descriptor, ""), MOST_NAMED))


class _Search:
    def __init__(self, *, strict: bool) -> None:
        self._strict = strict
        self._probes = 0

    def in_message(
        self, value: object, descriptor: Descriptor, path: str
    ) -> Iterator[FieldViolation]:
        if not isinstance(value, dict):
            yield FieldViolation(path or "request", "must be an object")
            return
        # Not the descriptor's own map: half a character as a key makes it raise SystemError.
        fields = {name: f for f in descriptor.fields for name in (f.name, f.json_name)}
        for key, inner in value.items():
            field = fields.get(key)
            if field is None and self._strict:
                shown = _printable(key)
                yield FieldViolation(_joined(path, shown), _unknown(shown, descriptor))
            elif field is not None and inner is not None:
                yield from self._in_field(inner, field, _joined(path, field.name))

    def _in_field(self, value: Any, field: FieldDescriptor, path: str) -> Iterator[FieldViolation]:
        if not field.is_repeated:
            yield from self._in_value(value, field, path)
        elif not isinstance(value, list):
            yield FieldViolation(path, "must be a list")
        else:
            for index, each in enumerate(value):
                yield from self._in_value(each, field, f"{path}[{index}]")

    def _in_value(self, value: Any, field: FieldDescriptor, path: str) -> Iterator[FieldViolation]:
        self._probes += 1
        if self._probes > _MOST_PROBES:
            return
        if field.message_type is not None:
            yield from self.in_message(value, field.message_type, path)
        elif not _fits(value, field):
            yield FieldViolation(path, _expected(field))


def _fits(value: Any, field: FieldDescriptor) -> bool:
    """Whether json_format takes the value for this field, alone."""
    assert field.containing_type is not None  # noqa: S101  # it is a message's field
    message = GetMessageClass(field.containing_type)()
    try:
        document = {field.json_name: [value] if field.is_repeated else value}
        json_format.ParseDict(document, message)
    except (json_format.ParseError, TypeError, ValueError, RecursionError):
        return False
    return True


def _expected(field: FieldDescriptor) -> str:
    if field.enum_type is not None:
        return f"must be one of {', '.join(value.name for value in field.enum_type.values)}"
    return _EXPECTED.get(field.type, "has a wrong type")


def _unknown(key: str, descriptor: Descriptor) -> str:
    names = [field.json_name for field in descriptor.fields]
    near = difflib.get_close_matches(key, names, n=1)
    said = f"did you mean {near[0]}? " if near else ""
    known = f"it has {', '.join(names)}" if names else "it has none"
    return f"{descriptor.name} has no such field: {said}{known}"


def _printable(key: str) -> str:
    """The start of a key; a status cannot carry half a character or a line break."""
    return "".join(c if c.isprintable() else "?" for c in key[:_LONGEST_KEY]) or '""'


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
