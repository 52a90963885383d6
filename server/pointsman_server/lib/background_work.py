"""CPU-bound work in a thread beside an event loop that must not stall."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, ParamSpec, TypeVar

SWITCH_SECONDS: Final = 0.0005
"""Time after which the interpreter takes its lock from the thread, a tenth of the default."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


async def in_background(work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Run `work` in a thread and return its result.

    Meanwhile the thread gives up the interpreter's lock more often, and the collector pauses. Run
    one such work at a time. The lock is given up between two steps of Python alone: a call of
    several milliseconds to a function in C stalls every thread.
    """
    interval = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        with collector_paused():
            return await asyncio.to_thread(work, *args, **kwargs)
    finally:
        sys.setswitchinterval(interval)


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause the cyclic garbage collector: a walk over a large result stalls every thread."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def release(pieces: deque[object]) -> None:
    """Let go of objects one at a time, the last one first.

    A large structure that nobody else holds is otherwise freed in one step. Give the pieces that
    hold others last, so that they are freed while theirs are still held.
    """
    while pieces:
        pieces.pop()
