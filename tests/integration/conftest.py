from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.served import Starter


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Starter]:
    """Starts real servers that end with the test."""
    async with contextlib.AsyncExitStack() as stack:
        yield Starter(tmp_path, stack)
