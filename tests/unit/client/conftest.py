"""A fake service, and a client of it, for every test of this room."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from pointsman_client import RoutingClient
from pointsman_client.testing import FakeService


@pytest.fixture
async def fake() -> AsyncIterator[FakeService]:
    async with FakeService() as service:
        yield service


@pytest.fixture
async def client(fake: FakeService) -> AsyncIterator[RoutingClient]:
    async with RoutingClient(fake.target, timeout=30, decide_timeout=30) as opened:
        yield opened
