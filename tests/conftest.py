"""What every test shares: Hypothesis without a stopwatch. Parts stand in `support/`."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from hypothesis import settings

# How long an example takes says more about the machine than about the code.
settings.register_profile("pointsman", deadline=None)
settings.load_profile("pointsman")


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Take back the handlers and levels of commands that a test ran in this process.

    Handlers write to that test's captured stream, which is closed, and the complaint about it would
    stand in the output of a later test. With a level, a later test would miss what it listens for.
    """
    root, ours = logging.getLogger(), logging.getLogger("pointsman_server")
    before, levels = set(root.handlers), (root.level, ours.level)
    yield
    root.setLevel(levels[0])
    ours.setLevel(levels[1])
    for handler in set(root.handlers) - before:
        if type(handler) is logging.StreamHandler:
            root.removeHandler(handler)
