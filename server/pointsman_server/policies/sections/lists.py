"""Lists of the policy file: tuples in file order.

`Annotated[ListOf[X], Field(min_length=1), DISTINCT]` has at least one X and none twice.
"""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field

from pointsman_server.policies.diagnostics import shown

_Item = TypeVar("_Item", bound=str)


def _distinct(items: tuple[str, ...]) -> tuple[str, ...]:
    seen: set[str] = set()
    for item in items:
        if item in seen:
            raise ValueError(f"names `{shown(item)}` twice")
        seen.add(item)
    return items


# Not strict, since YAML gives lists where this wants a tuple.
ListOf = Annotated[tuple[_Item, ...], Field(strict=False)]

DISTINCT = AfterValidator(_distinct)
