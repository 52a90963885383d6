"""Log lines of libraries: few of OpenTelemetry's, and of all of them nothing that a caller sent."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)

ROOT = "opentelemetry"
QUOTING_NO_CALLER = (
    "opentelemetry.exporter.",
    "opentelemetry.sdk.",
    "asyncio",
    "py.warnings",
    "pointsman_server",
)
"""Loggers whose texts never hold what a caller sent; a name's end is a prefix."""
PAUSE = 60.0
"""Seconds between two lines of the same SDK module."""


def safe_message(record: logging.LogRecord) -> str:
    """Give the record's message; of a library that may quote callers, its format alone.

    OpenTelemetry logs trace headers that it cannot read, and HTTP libraries log paths. Of asyncio's
    messages the lines after the first quote exceptions.
    """
    if record.name.startswith(QUOTING_NO_CALLER):
        message = record.getMessage()
        return message.partition("\n")[0] if record.name == "asyncio" else message
    if record.name == ROOT or record.name.startswith(f"{ROOT}."):
        return f"a message is left out that may quote a caller (line {record.lineno})"
    return str(record.msg)


class SdkLog(logging.Handler):
    """Passes on one line per SDK module and minute, and says how many it kept back.

    Tracebacks are left out: an exporter's fill a page and say no more than the line does.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(level=logging.WARNING)
        self._clock = clock
        self._passed: dict[str, float] = {}
        self._kept_back: dict[str, int] = {}

    def install(self) -> None:
        """Take over the SDK's loggers."""
        root = logging.getLogger(ROOT)
        root.propagate = False
        root.addHandler(self)

    def remove(self) -> None:
        """Give them back, unless another of this kind holds them too."""
        root = logging.getLogger(ROOT)
        root.removeHandler(self)
        root.propagate = not any(isinstance(handler, SdkLog) for handler in root.handlers)

    def emit(self, record: logging.LogRecord) -> None:
        """Called by `logging`, from any thread."""
        now = self._clock()
        last = self._passed.get(record.name)
        if last is not None and now - last < PAUSE:
            self._kept_back[record.name] = self._kept_back.get(record.name, 0) + 1
            return
        self._passed[record.name] = now
        kept_back = self._kept_back.pop(record.name, 0)
        more = f" ({kept_back} more lines since the last one)" if kept_back else ""
        logger.warning("%s: %s%s", record.name, safe_message(record), more)
