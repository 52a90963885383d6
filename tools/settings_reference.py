"""The settings' reference: every variable `POINTSMAN_*` of the service with its meaning."""

from __future__ import annotations

import ast
import inspect
import itertools
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pointsman_server import settings
from pydantic.fields import FieldInfo

_HEAD = """\
# Settings reference

The environment variables of `pointsman serve`, from their definition in the code
(`make reference`). [Operating Pointsman](../operating.md) explains their interaction, and lists
those of other parts. The [policy file](../policy-file.md) defines the routing.

| variable | value | default | meaning |
|---|---|---|---|
"""


def page() -> str:
    """The page, in Markdown."""
    fields = settings.Settings.model_fields
    meanings = dict(_meanings())
    missing = fields.keys() - meanings.keys()
    if missing:
        raise SystemExit(f"settings without a docstring: {', '.join(sorted(missing))}")
    rows = (
        f"| `POINTSMAN_{name.upper()}` | {_value(field)} | {_default(field)} | {meanings[name]} |\n"
        for name, field in fields.items()
    )
    return _HEAD + "".join(rows)


def _meanings() -> Iterator[tuple[str, str]]:
    """The docstring below each field."""
    [body] = [
        node.body
        for node in ast.parse(inspect.getsource(settings)).body
        if isinstance(node, ast.ClassDef) and node.name == settings.Settings.__name__
    ]
    for field, below in itertools.pairwise(body):
        match field, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                yield name, " ".join(text.split()).replace("|", "\\|")


def _value(field: FieldInfo) -> str:
    kinds = get_args(field.annotation) or (field.annotation,)
    if get_origin(field.annotation) is Literal:
        return ", ".join(f"`{kind}`" for kind in kinds)
    kind: Any = kinds[0]
    words = {int: "whole number", float: "number", bool: "`true`, `false`"}
    name = getattr(kind, "__name__", "")
    return words.get(kind, "path" if name == "Path" else "text") + "".join(
        map(_bound, field.metadata)
    )


def _bound(limit: object) -> str:
    match limit:
        case Ge(ge=value):
            return f", from {value:,}"
        case Gt(gt=value):
            return f", above {value:,}"
        case Le(le=value):
            return f", up to {value:,}"
        case Lt(lt=value):
            return f", below {value:,}"
        case _:
            return ""


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is None or value in ("", (), frozenset()):
        return "none"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"
