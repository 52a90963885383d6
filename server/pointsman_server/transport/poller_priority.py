"""The priority of gRPC's poller thread.

The poller wakes up six times per call. If it shares a processor with the thread that answers calls,
it interrupts that thread each time. docs/performance.md has the figures.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from grpc import aio

NICENESS: Final = 5
"""Added to the process's. More of it starves the poller where something else keeps the processor
busy: at 10 a call takes a third longer then, at 19 seven times as long."""


def give_way(thread: threading.Thread) -> None:
    """Lower the priority of a running `thread`.

    On Linux, where each thread has its niceness (nice(2)); on other systems, nothing changes.
    """
    if sys.platform != "linux" or thread.native_id is None:
        return
    with suppress(OSError):  # a system that does not allow it serves nonetheless
        niceness = os.getpriority(os.PRIO_PROCESS, 0) + NICENESS
        os.setpriority(os.PRIO_PROCESS, thread.native_id, niceness)


@contextmanager
def polite_poller() -> Iterator[None]:
    """Have gRPC's poller give way, for servers inside the block, unless one runs already."""
    before = set(threading.enumerate())
    aio.init_grpc_aio()
    try:
        for thread in set(threading.enumerate()) - before:
            give_way(thread)
        yield
    finally:
        aio.shutdown_grpc_aio()
