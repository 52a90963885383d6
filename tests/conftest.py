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
def _no_handlers_left() -> Iterator[None]:
    """Take back the handlers of commands that a test ran in this process.

    They write to that test's captured stream, which is closed, and the complaint about it would
    stand in the output of a later test.
    """
    root = logging.getLogger()
    before = set(root.handlers)
    yield
    for handler in set(root.handlers) - before:
        if type(handler) is logging.StreamHandler:
            root.removeHandler(handler)
