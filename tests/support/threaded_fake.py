"""A fake service on the event loop of a separate thread, for code that runs or blocks its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pointsman_client.testing import FakeService


@contextmanager
def threaded_fake() -> Iterator[FakeService]:
    """Serve inside the block."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    service = FakeService()
    asyncio.run_coroutine_threadsafe(service.__aenter__(), loop).result()
    yield service
    asyncio.run_coroutine_threadsafe(service.__aexit__(None, None, None), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
