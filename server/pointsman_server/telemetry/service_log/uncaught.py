"""Errors that nobody catches, as lines of the log.

The interpreter would print tracebacks, which are no lines of JSON and may quote a request.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from types import TracebackType

_log = logging.getLogger(__name__)


def log_uncaught() -> Callable[[], None]:
    """Log errors that end the process or a thread, or come from a finaliser.

    Returns a function that undoes it.
    """
    former = sys.excepthook, threading.excepthook, sys.unraisablehook
    sys.excepthook, threading.excepthook = _of_process, _of_thread
    sys.unraisablehook = _of_finaliser

    def undo() -> None:
        sys.excepthook, threading.excepthook, sys.unraisablehook = former

    return undo


def _of_process(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    _log.critical("the process ends by an error", exc_info=(kind, error, trace))


def _of_thread(given: threading.ExceptHookArgs) -> None:
    if given.exc_value is not None:
        found = (given.exc_type, given.exc_value, given.exc_traceback)
        _log.error("a thread ends by an error", exc_info=found)


def _of_finaliser(given: sys.UnraisableHookArgs) -> None:
    if given.exc_value is not None:
        found = (given.exc_type, given.exc_value, given.exc_traceback)
        _log.error("an error in a finaliser is left alone", exc_info=found)
