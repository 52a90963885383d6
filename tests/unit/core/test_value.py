"""Values compare, hash and copy by their fields."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pointsman_server.core.value import value


@value(kw_only=True)
class Point:
    x: int
    y: int = 0


@value()
class Pair:
    first: int
    second: int


def test_values_with_equal_fields_are_equal_and_hash_alike() -> None:
    assert Point(x=1) == Point(x=1, y=0) != Point(x=2)
    assert len({Point(x=1), Point(x=1), Point(x=2)}) == 2


def test_a_value_is_changed_in_a_copy() -> None:
    point = Point(x=1)
    assert replace(point, y=3) == Point(x=1, y=3)
    assert point == Point(x=1)


def test_a_value_has_no_other_attributes() -> None:
    with pytest.raises(AttributeError):
        Point(x=1).z = 2  # type: ignore[attr-defined]


def test_fields_are_keyword_only_on_demand() -> None:
    assert Pair(1, 2) == Pair(first=1, second=2)
    with pytest.raises(TypeError):
        Point(1)  # type: ignore[misc]
