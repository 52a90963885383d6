"""A processor over a fake service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from pointsman_client import RoutingClient
from pointsman_client.testing import FakeService
from pointsman_extproc.choosing import Chooser
from pointsman_extproc.metrics import Metrics
from pointsman_extproc.processor import Processor
from pointsman_extproc.reader_pool import ReaderPool
from pointsman_extproc.settings import Settings
from support.envoy_requests import MOST, PICK, TIER, Envoy


@pytest.fixture
async def fake() -> AsyncIterator[FakeService]:
    async with FakeService() as service:
        yield service


@pytest.fixture
async def readers() -> AsyncIterator[ReaderPool]:
    pool = ReaderPool()
    yield pool
    await pool.aclose()


@pytest.fixture
async def envoy(fake: FakeService, readers: ReaderPool) -> AsyncIterator[Any]:
    clients: list[RoutingClient] = []

    def made(**changes: Any) -> Envoy:
        settings = Settings(
            **{
                "tiers": {TIER: PICK},
                "serves": True,
                "timeout": 30.0,
                "most_bytes": MOST,
                **changes,
            }
        )
        client = RoutingClient(fake.target, retries=0)
        clients.append(client)
        metrics = Metrics()
        chooser = Chooser(client, settings=settings, readers=readers)
        return Envoy(Processor(chooser, settings=settings, metrics=metrics), metrics)

    yield made
    for client in clients:
        await client.aclose()
