"""Tests reach private attributes of their subject only, never those of its parts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
_CALL = r"(?:\[[^\]]*\]|\([^)]*\))?"
_THROUGH_A_PART = re.compile(rf"[\w\])]\.\w+{_CALL}\._(?!_)\w")
"""`a.b._c`, `a[0].b._c`, `a.b()._c`: more than one dot."""
_STANDARD_LIBRARY = "asyncio.Handle._run"


def through_a_part(text: str) -> list[str]:
    """The lines of `text` that reach a private attribute through more than one dot."""
    return [
        line.strip()
        for line in text.splitlines()
        if _THROUGH_A_PART.search(line.replace(_STANDARD_LIBRARY, ""))
        and not line.lstrip().startswith(("from ", "import "))
    ]


def test_no_test_reaches_into_the_parts_of_its_subject() -> None:
    found = {
        str(path.relative_to(TESTS)): lines
        for path in sorted(TESTS.rglob("*.py"))
        if path != Path(__file__) and (lines := through_a_part(path.read_text()))
    }
    assert not found


@pytest.mark.parametrize("line", ["a.b._c", "a[0].b._c = 1", "a.b()._c()", "a._b._c", "a()._b._c"])
def test_a_second_dot_is_found(line: str) -> None:
    assert through_a_part(line) == [line]


@pytest.mark.parametrize("line", ["a._b", "a.b.c", "a.b.__class__", "from a.b._c import d"])
def test_anything_else_is_not(line: str) -> None:
    assert not through_a_part(line)
