"""The policy file's reference, from its JSON Schema: every key with its values and default."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pointsman_server.policies.schema import json_schema

Schema = Mapping[str, Any]

_HEAD = """\
# Policy file reference

Every key of the [policy file](../policy-file.md), from its JSON Schema (`make reference`;
`pointsman check --schema` prints the schema itself). A key whose default is "none" is unknown if it
is absent.
"""
_ENTRIES = {
    "tiers": "tier",
    "catalog": "model",
    "topics": "topic",
    "quality_loss": "policy",
    "headers": "header",
    "parameters": "parameter",
    "decision_models": "engine",
    "profiles": "profile",
    "routes": "purpose",
    "heavy": "axis",
    "benchmarks": "axis",
}
_UNITS = {86_400: "d", 3_600: "h", 60: "m", 1: "s"}
_ABSENT = object()
# A profile's keys stand under `llm`, for the profile `default`, and are listed once.
_AS_LLM = "ProfileSection"


def page() -> str:
    """The page, in Markdown."""
    schema = json_schema()
    return "\n".join([_HEAD, *_Document(schema).sections()])


class _Document:
    def __init__(self, schema: Schema) -> None:
        self._root = schema
        self._defs: Schema = schema["$defs"]

    def sections(self) -> Iterator[str]:
        """The single values first, then a section for each that is a mapping."""
        properties: Schema = self._root["properties"]
        single = {k: v for k, v in properties.items() if self._inner(v) is None}
        yield from self._section("Top level", "", [(k, v, _ABSENT) for k, v in single.items()])
        for key in properties:
            if key not in single:
                value = properties[key]
                yield from self._section(
                    f"`{key}`", value.get("description", ""), [(key, value, _ABSENT)]
                )

    def _section(
        self, title: str, about: str, keys: list[tuple[str, Schema, object]]
    ) -> Iterator[str]:
        yield f"## {title}\n"
        if about:
            yield f"{_cell(about)}\n"
        yield "| key | value | default | meaning |\n|---|---|---|---|"
        for key, value, default in keys:
            required = key in self._root.get("required", ())
            yield from self._rows(key, value, default=default, required=required)
        yield ""

    def _rows(self, path: str, schema: Schema, *, default: object, required: bool) -> Iterator[str]:
        """One row, or those of everything inside a mapping."""
        default = schema.get("default", default) if default is _ABSENT else default
        inner = self._inner(schema)
        if inner is None:
            told = "required" if required else _default(default, schema)
            yield f"| `{path}` | {self._value(schema)} | {told} | {_cell(schema['description'])} |"
            return
        suffix, section = inner
        if section.get("title") == _AS_LLM:
            yield (
                f"| `{path}{suffix}` | a mapping | none | {_cell(schema['description'])}"
                " It has the keys of `llm` from `llm.provider` to `llm.parameters`. |"
            )
        elif "properties" not in section:
            told = f"{self._count(schema)}{self._value(section)}"
            yield (
                f"| `{path}{suffix}` | {told} | {_default(default, section)}"
                f" | {_cell(schema['description'])} |"
            )
        else:
            for key, value in section["properties"].items():
                known = default.get(key, _ABSENT) if isinstance(default, Mapping) else _ABSENT
                yield from self._rows(
                    f"{path}{suffix}.{key}", value, default=known,
                    required=key in section.get("required", ()),
                )  # fmt: skip

    def _inner(self, schema: Schema) -> tuple[str, Schema] | None:
        """The schema inside a mapping or a list of mappings, and the suffix of its path."""
        if "$ref" in schema:
            return "", self._defs[schema["$ref"].rpartition("/")[2]]
        # Keys of a certain form make `patternProperties`.
        patterns: Schema = schema.get("patternProperties", {})
        entries = schema.get("additionalProperties") or next(iter(patterns.values()), None)
        if entries:
            entry = _ENTRIES[schema["title"].lower().replace(" ", "_")]
            return f".<{entry}>", self._named(entries)
        items = schema.get("items", {})
        return ("[]", self._named(items)) if "$ref" in items else None

    def _named(self, schema: Schema | bool) -> Schema:
        """A schema behind its reference; a name or a mapping counts as the mapping."""
        if not isinstance(schema, Mapping):
            return {}
        for each in (schema, *schema.get("anyOf", ())):
            if "$ref" in each:
                named: Schema = self._defs[each["$ref"].rpartition("/")[2]]
                return named
        return schema

    def _value(self, schema: Schema) -> str:
        """The allowed values, in words."""
        kinds = [s for s in schema.get("anyOf", [schema]) if s.get("type") != "null"]
        if "enum" in schema:
            return ", ".join(f"`{each}`" for each in schema["enum"])
        if len(kinds) == 1 and "anyOf" in schema:
            return self._value(kinds[0])
        if "$comment" in schema:
            return _cell(f"{_kind(schema)}{schema['$comment']}")
        if schema.get("type") == "array":
            return f"list of {self._value(schema['items'])}{_length(schema)}"
        return {"boolean": "`true`, `false`"}.get(str(schema.get("type")), "any plain value")

    def _count(self, schema: Schema) -> str:
        most = schema.get("maxProperties")
        return f"up to {most:,}: " if most else ""


def _kind(schema: Schema) -> str:
    """A word before bounds that are ambiguous without it."""
    numbers = [s for s in schema.get("anyOf", ()) if s.get("type") == "number"]
    if numbers:
        return "duration, "
    return "whole number, " if schema.get("type") == "integer" else ""


def _length(schema: Schema) -> str:
    least, most = schema.get("minItems"), schema.get("maxItems")
    return (f"; at least {least}" if least else "") + (f"; at most {most:,}" if most else "")


def _default(value: object, schema: Schema) -> str:
    if value is _ABSENT or value is None:
        return "none"
    if isinstance(value, Mapping):
        return ", ".join(f"`{key}` {each}" for key, each in value.items()) or "none"
    if isinstance(value, list | tuple):
        return f"`[{', '.join(map(_plain, value))}]`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, float) and _kind(schema):
        return f"`{_duration(value)}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{_plain(value)}`"


def _plain(value: object) -> str:
    """A value as YAML; text in which YAML would see a mapping or a list, in quotes."""
    text = str(value)
    return json.dumps(text) if isinstance(value, str) and {":", ","} & set(text) else text


def _duration(seconds: float) -> str:
    for unit, name in _UNITS.items():
        if seconds >= unit and seconds % unit == 0:
            return f"{seconds / unit:g}{name}"
    return f"{seconds * 1000:g}ms"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
