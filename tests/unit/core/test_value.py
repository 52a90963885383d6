"""A value is a frozen, slotted, keyword-only dataclass in all but the time that making it takes."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import pytest
from pointsman_server.core.value import value


@value
class Point:
    """One made like the model's."""

    x: int
    y: int = 2
    name: str | None = None

    @property
    def total(self):
        return self.x + self.y


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """The same, made by the library."""

    x: int
    y: int = 2
    name: str | None = None


GIVEN = [{"x": 1}, {"x": 1, "y": 3}, {"x": 1, "y": 3, "name": "a"}]


@pytest.mark.parametrize("given", GIVEN)
def test_a_value_holds_what_a_dataclass_would(given):
    made = Point(**given)
    assert type(made) is Point
    assert dataclasses.asdict(made) == dataclasses.asdict(Plain(**given))
    assert repr(made) == repr(Plain(**given)).replace("Plain", "Point")
    assert hash(made) == hash(Plain(**given))
    assert made.total == made.x + made.y


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))]
)
def test_a_copy_is_an_equal_value(copied):
    made = Point(x=1, name="a")
    assert copied(made) == made
    assert dataclasses.replace(made, x=5) == Point(x=5, name="a")
    assert made != Point(x=1)


@pytest.mark.parametrize("name", ["x", "y", "name", "__class__", "other"])
def test_nothing_of_a_value_changes(name):
    made = Point(x=1)
    # Of names that are no fields, dataclasses of CPython 3.11 say TypeError.
    with pytest.raises((dataclasses.FrozenInstanceError, TypeError)):
        setattr(made, name, 1)
    with pytest.raises((dataclasses.FrozenInstanceError, TypeError)):
        delattr(made, name)
    assert made == Point(x=1)
    assert not hasattr(made, "__dict__")


@pytest.mark.parametrize(
    ("args", "given"),
    [((), {}), ((1,), {}), ((), {"x": 1, "other": 2}), ((1,), {"x": 1})],
    ids=["missing", "by position", "unknown", "twice"],
)
def test_a_value_is_made_of_its_named_fields_alone(args, given):
    for kind in (Point, Plain):
        with pytest.raises(TypeError):
            kind(*args, **given)


def test_a_default_that_is_made_anew_each_time_is_refused():
    class Growing:
        items: list[int] = dataclasses.field(default_factory=list)

    with pytest.raises(TypeError):
        value(Growing)


def test_a_value_that_is_not_made_by_its_fields_alone_is_refused():
    class Checked:
        name: str

        def __post_init__(self):
            raise AssertionError("never called")

    class Derived:
        name: str
        length: int = dataclasses.field(init=False, default=0)

    for each in (Checked, Derived):
        with pytest.raises(TypeError):
            value(each)
