"""Frozen, slotted values that are made in little more than half the time.

A frozen dataclass sets its fields through `object.__setattr__`, since its own refuses, and that is
most of what making one costs. A decision that has to be made takes two dozen values with a hundred
and forty fields. So a value is of a twin class while it is being made, which has the same slots and
refuses nothing.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, dataclass, fields
from typing import Any, TypeVar, dataclass_transform

Value = TypeVar("Value")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def value(plain: type[Value]) -> type[Value]:
    """`dataclass(frozen=True, slots=True, kw_only=True)` in all but the time that making takes.

    For those of which each decision makes some. It knows neither default factories nor
    `__post_init__`, and has no subclasses.
    """
    if hasattr(plain, "__post_init__"):
        raise TypeError("a value is made by its fields alone")
    made: Any = dataclass(frozen=True, slots=True, kw_only=True)(plain)
    found = fields(made)
    twin = type(made.__name__, (), {"__slots__": tuple(field.name for field in found)})
    names: dict[str, Any] = {"become": object.__setattr__, "twin": twin, "made": made}
    names |= {_default(field): field.default for field in found}
    # As `dataclass` does it: no other way gives a constructor named parameters.
    exec(_source(found), names)  # noqa: S102
    written = names["__init__"]
    written.__qualname__ = f"{made.__qualname__}.__init__"
    written.__annotations__ = made.__init__.__annotations__
    made.__init__ = written
    return made  # type: ignore[no-any-return]


def _source(found: tuple[Field[Any], ...]) -> str:
    if any(field.default_factory is not MISSING or not field.init for field in found):
        raise TypeError("a value has no default factories, and no fields that are not given")
    parameters = [
        field.name if field.default is MISSING else f"{field.name}={_default(field)}"
        for field in found
    ]
    return "\n    ".join(
        [
            f"def __init__(self, *, {', '.join(parameters)}):",
            "become(self, '__class__', twin)",
            *(f"self.{field.name} = {field.name}" for field in found),
            "self.__class__ = made",
        ]
    )


def _default(field: Field[Any]) -> str:
    return f"default_{field.name}"
