"""CPU-bound work in a thread beside an event loop that must not stall."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

SWITCH_SECONDS: Final = 0.0005
"""Time after which the interpreter takes its lock from the thread, a tenth of the default."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


async def in_background(work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Run `work` in a thread and return its result.

    Meanwhile the thread gives up the interpreter's lock more often, and the cyclic garbage
    collector pauses, because a collection over the objects of a large result stalls every thread.
    Run one such work at a time.
    """
    interval, collects = sys.getswitchinterval(), gc.isenabled()
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.disable()
    try:
        return await asyncio.to_thread(work, *args, **kwargs)
    finally:
        sys.setswitchinterval(interval)
        if collects:
            gc.enable()
