"""Log lines of libraries: few of OpenTelemetry's, and of all of them nothing that a caller sent."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)

ROOT = "opentelemetry"
SPEAKING_OF_COLLECTORS = ("opentelemetry.exporter.", "opentelemetry.sdk.")
"""OpenTelemetry's loggers whose texts hold nothing that a caller sent."""
SEEING_CALLERS = ("aiocache", "aiohttp", "grpc")
"""Libraries that handle bytes of callers."""
PAUSE = 60.0
"""Seconds between two lines of the same SDK module."""


def safe_message(record: logging.LogRecord) -> str:
    """Give the record's message; of a library that may quote callers, its format alone.

    OpenTelemetry quotes trace headers that it cannot read. Of asyncio's messages the lines after
    the first quote exceptions.
    """
    room = record.name.partition(".")[0]
    if room == ROOT and not record.name.startswith(SPEAKING_OF_COLLECTORS):
        return f"a message is left out that may quote a caller (line {record.lineno})"
    if room in SEEING_CALLERS:
        return str(record.msg)
    message = record.getMessage()
    return message.partition("\n")[0] if record.name == "asyncio" else message


class SdkLog(logging.Handler):
    """Passes on one line per SDK module and minute, with the number of suppressed ones.

    Tracebacks are left out: an exporter's fill a page without further information.
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
