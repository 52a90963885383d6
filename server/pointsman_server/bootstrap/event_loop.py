"""The event loop of the server."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Coroutine
from typing import Any, Literal, TypeAlias

LoopName: TypeAlias = Literal["auto", "uvloop", "asyncio"]


def run(work: Coroutine[Any, Any, None], *, loop: LoopName = "auto") -> None:
    """Run `work` to its end; `auto` is uvloop if it is installed.

    Raises `ModuleNotFoundError` if uvloop is requested by name and missing.
    """
    if loop == "asyncio" or (loop == "auto" and importlib.util.find_spec("uvloop") is None):
        asyncio.run(work)
        return
    try:
        import uvloop  # noqa: PLC0415  (there is none on some platforms)
    except ModuleNotFoundError:
        work.close()
        raise
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work)
