"""Waiting for what comes in its own time."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable


async def eventually(holds: Callable[[], object], *, seconds: float = 30.0) -> None:
    """Wait until `holds()`, or what it promises, is true. Raises `TimeoutError`."""
    async with asyncio.timeout(seconds):
        while True:
            found = holds()
            if await found if inspect.isawaitable(found) else found:
                return
            await asyncio.sleep(0.02)
