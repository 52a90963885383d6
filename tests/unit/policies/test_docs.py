"""The reference of the policy file names every key of the models, with bounds and default."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
import yaml
from pointsman_server.policies.sections.document import PolicyDocument
from pointsman_server.policies.sections.scalars import Scalar
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

TEXT = (Path(__file__).parents[3] / "docs" / "reference" / "policy-file.md").read_text(
    encoding="utf-8"
)
ROWS = {
    cells[0].strip("` "): [cell.strip() for cell in cells[1:]]
    for line in TEXT.splitlines()
    if line.startswith("| `")
    for cells in [line.strip("|").split(" | ")]
}
ENTRY = {
    "tiers": "<tier>",
    "catalog": "<model>",
    "topics": "<topic>",
    "quality_loss": "<policy>",
    "headers": "<header>",
    "parameters": "<parameter>",
    "decision_models": "<engine>",
    "profiles": "<profile>",
    "routes": "<purpose>",
    "heavy": "<axis>",
    "benchmarks": "<axis>",
}
OF_ANY_PROFILE = "llm.profiles.<profile>."
"""The keys of a profile are documented once, where they stand directly under `llm`."""


def parts(annotation: Any) -> Iterator[Any]:
    """An annotation and all that it is made of."""
    yield annotation
    for inner in (*get_args(annotation), *getattr(annotation, "__metadata__", ())):
        yield from parts(inner)


def section_in(annotation: Any) -> type[BaseModel] | None:
    found = [a for a in parts(annotation) if isinstance(a, type) and issubclass(a, BaseModel)]
    return found[0] if found else None


def keys(
    model: type[BaseModel] = PolicyDocument, before: str = ""
) -> Iterator[tuple[str, FieldInfo]]:
    """Path -> field, for every key that holds a value rather than a section."""
    for name, field in model.model_fields.items():
        path = f"{before}{name}"
        if get_origin(field.annotation) is dict:
            path = f"{path}.{ENTRY[name]}"
        section = section_in(field.annotation)
        if section is not None:
            yield from keys(
                section, f"{path}[]." if get_origin(field.annotation) is tuple else f"{path}."
            )
        else:
            yield path, field


KEYS = {path: field for path, field in keys() if not path.startswith(OF_ANY_PROFILE)}


def test_every_key_is_documented_and_nothing_else() -> None:
    assert sorted(ROWS) == sorted([*KEYS, OF_ANY_PROFILE.rstrip(".")])


@pytest.mark.parametrize("path", KEYS)
def test_a_key_s_row_says_what_is_allowed(path: str) -> None:
    allowed, _, meaning = ROWS[path]
    whole = [*parts(KEYS[path].annotation), *KEYS[path].metadata]
    if get_origin(KEYS[path].annotation) is dict:
        whole = list(parts(get_args(KEYS[path].annotation)[1]))
    literals = [a for part in whole if get_origin(part) is Literal for a in get_args(part)]

    assert meaning
    assert all(f"`{name}`" in allowed for name in literals)
    if bool in whole:
        assert allowed == "`true`, `false`"
    scalars = [part for part in whole if isinstance(part, Scalar)]
    if scalars and "ids of the catalog" not in allowed:
        assert scalars[0].bounds.strip("`") in allowed


@pytest.mark.parametrize("path", KEYS)
def test_a_key_s_row_says_its_default(path: str) -> None:
    field, told = KEYS[path], ROWS[path][1]
    if field.is_required():
        assert told == "required"
    elif field.default is None or path.endswith(("<topic>", "<header>", "<parameter>")):
        assert told == "none"
    elif field.default is PydanticUndefined:
        defaults = dict(re.findall(r"`(\w+)` ([0-9.]+)", told))
        assert {p: float(v) for p, v in defaults.items()} == field.get_default(
            call_default_factory=True
        )
    else:
        value = yaml.safe_load(told.strip("`"))
        for scalar in (part for part in field.metadata if isinstance(part, Scalar)):
            value = scalar.checked(value)
        assert (tuple(value) if isinstance(value, list) else value) == field.default
