"""The map of the house: rows and arrows follow from the imports."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
IMPORTS = {
    "cli": frozenset({"bootstrap", "core", "report"}),
    "bootstrap": frozenset({"cache", "core"}),
    "cache": frozenset({"core"}),
    "report": frozenset({"core"}),
    "core": frozenset[str](),
    "pointsman_client": frozenset({"pointsman"}),
    "pointsman": frozenset[str](),
}


@pytest.fixture(scope="module")
def house_map() -> ModuleType:
    spec = importlib.util.spec_from_file_location("house_map", ROOT / "tools" / "house_map.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_room_stands_below_all_that_import_it_and_right_above_those_it_imports(house_map):
    rows = house_map.rows(IMPORTS)
    assert (rows["cli"], rows["bootstrap"], rows["cache"], rows["core"]) == (0, 1, 2, 3)
    assert rows["report"] == 2


def test_an_arrow_that_follows_from_others_is_left_out(house_map):
    arrows = house_map.reduced(IMPORTS)
    assert ("cli", "core") not in arrows
    assert ("bootstrap", "core") not in arrows
    assert ("cli", "report") in arrows


def test_every_room_has_a_box_and_every_arrow_a_line(house_map):
    drawn = house_map.draw(IMPORTS)
    assert all(f">{room}</text>" in drawn for room in IMPORTS)
    assert drawn.count("<line ") == len(house_map.reduced(IMPORTS))


@pytest.mark.parametrize(
    ("module", "room"),
    [
        ("pointsman_server.cache.redis.store", "cache"),
        ("pointsman_server.settings", "settings"),
        ("pointsman_server.__main__", None),
        ("pointsman_client.client", "pointsman_client"),
    ],
)
def test_a_module_belongs_to_one_room(house_map, module, room):
    assert house_map.room_of(module) == room
