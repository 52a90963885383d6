"""Endpoints of the tests of the Morph-compatible API."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from pointsman_server.fault_injection import FaultInjection, FaultScript
from pointsman_server.morph_api import FixedKeys, build_app, serve
from support.morph_endpoint import (
    CATALOG,
    KEY,
    Endpoint,
    FakeEngine,
    Start,
)


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    async with AsyncExitStack() as stack:

        async def starting(**options: Any) -> Endpoint:
            engine = FakeEngine()
            script = options.pop("faults", None)
            faults = None if script is None else FaultInjection(script)
            parts = {"keys": FixedKeys((KEY,)), "models": CATALOG, "faults": faults, **options}
            app = build_app(engine=engine, classifier=engine, **parts)
            listening = await serve(app)
            stack.push_async_callback(listening.aclose)
            client = httpx.AsyncClient(
                base_url=listening.url, headers={"Authorization": f"Bearer {KEY}"}, timeout=10
            )
            await stack.enter_async_context(client)
            return Endpoint(engine, client, listening.port, script)

        yield starting


@pytest.fixture
async def endpoint(start: Start) -> Endpoint:
    return await start()


@pytest.fixture
async def faulty(start: Start) -> Endpoint:
    return await start(faults=FaultScript())


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG)
    return caplog
