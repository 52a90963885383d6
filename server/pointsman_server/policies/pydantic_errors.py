"""Pydantic's findings -> faults in the words of the policy file. No message repeats a value."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import UnionType
from typing import Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pointsman_server.policies.diagnostics import (
    Diagnostic,
    KeyPath,
    meant,
    named,
    unknown_key,
)

_SENTENCES = {
    "missing": "is required",
    "model_type": "must be a mapping",
    "dict_type": "must be a mapping",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "bool_type": "must be `true` or `false`",
}


def to_faults(error: ValidationError, *, model: type[BaseModel]) -> Iterator[Diagnostic]:
    """One fault for each finding of `model`'s validation."""
    for details in error.errors(include_url=False):
        path = tuple(details["loc"])
        if path[-1:] == ("[key]",) and details["type"] != "extra_forbidden":
            path = path[:-1]  # pydantic's mark of a mapping's key, which stands before it
        if details["type"] == "extra_forbidden":
            key = str(path[-1])
            known = known_keys(model, path[:-1])
            path = (*path[:-1], unknown_key(key, near=bool(meant(key, known))))
        yield Diagnostic(path, _message(details, path, model))


def _message(details: ErrorDetails, path: KeyPath, model: type[BaseModel]) -> str:
    value = details["input"]
    reference = isinstance(value, str) and "${" in value and path[:1] != ("llm",)
    return _finding(details, path, model) + ("; `${...}` is replaced in `llm` only" * reference)


def _finding(details: ErrorDetails, path: KeyPath, model: type[BaseModel]) -> str:
    kind, context = details["type"], details.get("ctx", {})
    if kind == "extra_forbidden":
        key = path[-1] if isinstance(path[-1], str) else str(path[-1])
        return _unknown_key(key, known_keys(model, path[:-1]))
    if kind == "literal_error":
        return _not_among(details["input"], re.findall(r"'([^']*)'", str(context["expected"])))
    if kind == "value_error":
        return str(context["error"])
    if kind == "too_short":
        return f"needs {context['min_length']} or more entries"
    if kind == "too_long":
        return f"has more than {context['max_length']} entries"
    return _SENTENCES.get(kind, details["msg"])


def _unknown_key(key: str, known: tuple[str, ...]) -> str:
    hint = meant(key, known) or f"; known here: {named(known)}"
    return f"unknown key {named([key])}{hint}"


def _not_among(value: object, allowed: list[str]) -> str:
    hint = meant(value, allowed) if isinstance(value, str) else ""
    return f"must be one of {named(allowed)}{hint}"


def known_keys(model: type[BaseModel], path: KeyPath) -> tuple[str, ...]:
    """List the keys that the section at `path` may have."""
    annotation: object = model
    for part in path:
        section = _section(annotation)
        annotation = (
            _entry(get_args(_unwrapped(annotation)))
            if section is None
            else section.model_fields[str(part)].annotation
        )
    section = _section(annotation)
    return tuple(section.model_fields) if section else ()


def leaves(model: type[BaseModel], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the paths of all keys of `model` and of the sections in it."""
    for name, field in model.model_fields.items():
        path = (*above, name)
        yield path
        if (section := _section(field.annotation)) is not None:
            yield from leaves(section, path)


def _section(annotation: object) -> type[BaseModel] | None:
    """Find the section that an annotation names, optional or not."""
    choices = (
        get_args(annotation) if get_origin(annotation) in {Union, UnionType} else (annotation,)
    )
    for choice in choices:
        if isinstance(choice, type) and issubclass(choice, BaseModel):
            return choice
    return None


def _entry(arguments: tuple[object, ...]) -> object:
    """Of `dict[str, X]` and `tuple[X, ...]`: X."""
    return arguments[0] if arguments[-1] is Ellipsis else arguments[-1]


def _unwrapped(annotation: object) -> object:
    """Return X of `Annotated[X, ...]`."""
    return get_args(annotation)[0] if hasattr(annotation, "__metadata__") else annotation
