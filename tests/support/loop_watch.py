"""How long the callbacks of the event loop keep it busy."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from unittest.mock import patch


@dataclass
class Watch:
    """The longest callback so far, in milliseconds of processor time, and what it was."""

    longest: float = 0.0
    what: str = ""


@contextmanager
def watching() -> Iterator[Watch]:
    """Measure every callback of every loop of this thread inside the block.

    By the thread's processor time: on a machine that is busy with something else a callback takes
    longer on the wall clock, and blocks no more than elsewhere.
    """
    watch = Watch()
    run = asyncio.Handle._run

    def measured(handle: asyncio.Handle) -> None:
        started = time.thread_time()
        run(handle)
        spent = (time.thread_time() - started) * 1e3
        if spent > watch.longest:
            watch.longest, watch.what = spent, repr(handle)

    with patch.object(asyncio.Handle, "_run", measured):
        yield watch


def yardstick() -> float:
    """Milliseconds of processor time that a fixed piece of work takes here and now, about one.

    Bounds are multiples of it, because processors differ, and one processor differs by its load.
    """
    started = time.thread_time()
    sorted((number * 7919) % 10_007 for number in range(11_000))
    return (time.thread_time() - started) * 1e3
