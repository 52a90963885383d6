from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from support.json_calls import client
from support.served import Peer, Starter


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Starter]:
    """Starts real servers that end with the test."""
    async with contextlib.AsyncExitStack() as stack:
        yield Starter(tmp_path, stack)


@pytest.fixture
async def peer(start: Starter) -> Peer:
    """A real server."""
    return await start()


@pytest.fixture
async def http(peer: Peer) -> AsyncIterator[httpx.AsyncClient]:
    """A client of its HTTP listener."""
    async with client(peer) as opened:
        yield opened
