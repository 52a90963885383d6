"""Blocking calls beside the event loop that may never come back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import Any, TypeVar

logger = logging.getLogger(__name__)

Result = TypeVar("Result")


async def in_daemon_thread(call: Callable[[], Result], *, name: str) -> Result:
    """Run `call` in a daemon thread and await its result or error.

    Not `asyncio.to_thread`: the threads of its pool are joined when the loop closes, so that one
    hanging collector would prevent the process from ending.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[Result] = loop.create_future()

    def tell(settle: Callable[[Any], None], value: object) -> None:
        # The loop may be closed, or nobody may wait any more.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_settle, outcome, settle, value)

    def run() -> None:
        try:
            result = call()
        except Exception as error:  # noqa: BLE001 - handed to the one who awaits
            tell(outcome.set_exception, error)
        else:
            tell(outcome.set_result, result)

    Thread(target=run, name=name, daemon=True).start()
    return await outcome


def _settle(future: asyncio.Future[Any], settle: Callable[[Any], None], value: object) -> None:
    if not future.done():
        settle(value)


async def within(seconds: float, call: Callable[[], object], *, name: str) -> bool:
    """Whether `call` came back in time; an error that it came back with is logged."""
    try:
        await asyncio.wait_for(in_daemon_thread(call, name=name), timeout=seconds)
    except TimeoutError:
        return False
    except Exception as error:  # noqa: BLE001 - ending goes on whatever fails
        logger.warning("%s failed: %s", name, type(error).__qualname__)
    return True
