"""Imports without optional parts."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest
from pointsman_server.lib.lean_import import without

ABSENT = "wave"
"""A module of the standard library that nothing here loads."""


def test_a_hidden_module_is_not_found_in_the_block_and_is_found_after_it() -> None:
    sys.modules.pop(ABSENT, None)
    with without(ABSENT), pytest.raises(ModuleNotFoundError):
        importlib.import_module(ABSENT)
    assert importlib.import_module(ABSENT).__name__ == ABSENT


def test_a_module_that_is_loaded_stays() -> None:
    with without("json"):
        assert importlib.import_module("json") is sys.modules["json"]
    assert sys.modules["json"] is not None


def test_a_failing_import_hides_nothing_any_longer() -> None:
    sys.modules.pop(ABSENT, None)
    with pytest.raises(ZeroDivisionError), without(ABSENT):
        _ = 1 / 0
    assert ABSENT not in sys.modules


def test_a_start_without_a_shared_cache_loads_no_client_of_one_and_no_command_line() -> None:
    code = (
        "import sys; import pointsman_server.bootstrap.runtime;"
        "print(*({'redis', 'aiomcache', 'rich', 'pygments', 'httpx._main'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
