"""Signals that arrive before the event loop handles them."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

TERMINATED = 143
"""128 + SIGTERM, as a shell reports it."""

_arrived = threading.Event()


class Terminated(SystemExit):
    """The process got a SIGTERM.

    An event loop lets a `SystemExit` of a callback through; it logs any other exception and goes
    on.
    """


@contextlib.contextmanager
def start_signals(*, reloads: bool) -> Iterator[None]:
    """Raise `Terminated` at a SIGTERM inside the block, until the event loop has its own handler.

    The first process of a container ignores every signal without a handler, so a stop during the
    start would be lost. With `reloads`, SIGHUP is ignored: the start reads the policy file anyway,
    and without a handler it would end the process.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _arrived.clear()
    before = {signal.SIGTERM: signal.signal(signal.SIGTERM, _terminate)}
    if reloads:
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_if_terminated() -> None:
    """Raise `Terminated` if a SIGTERM has come since the start.

    Python prints an exception that meets a finaliser or a callback of a weak reference, and goes
    on. Call this once the event loop handles SIGTERM: no later one is lost.
    """
    if _arrived.is_set():
        raise Terminated(TERMINATED)


def end_terminated() -> int:
    """End the process by SIGTERM; where it would be ignored, return the exit status."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTERM)
    return TERMINATED


def _terminate(_number: int, _frame: FrameType | None) -> None:
    _arrived.set()
    raise Terminated(TERMINATED)
