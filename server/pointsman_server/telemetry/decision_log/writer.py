"""Write the decision log from a dedicated thread, so that no disk or pipe blocks a call."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Sequence
from threading import Event, Thread

from pointsman_server.telemetry.daemon_thread import within
from pointsman_server.telemetry.decision_log.entry import Line, encode_line
from pointsman_server.telemetry.decision_log.sinks import Sink

logger = logging.getLogger(__name__)

QUEUE = 10_000
"""Entries that wait at most; about two seconds' worth at full sampling."""
BATCH = 500
"""Lines that are written at once."""
GATHER = 0.05
"""Seconds that the thread lets entries gather before it writes them together."""
COMPLAINT_PAUSE = 60.0
"""Seconds between two service log lines about a sink that fails."""


class LineWriter:
    """A bounded queue and the thread that empties it into sinks.

    `put` is called on the event loop and never waits. Lost lines are counted.
    """

    def __init__(
        self, sinks: Sequence[Sink], *, queue: int = QUEUE, gather: float = GATHER
    ) -> None:
        self._queue: deque[Line] = deque()
        self._limit = queue
        self._gather = gather
        self._sinks = tuple(sinks)
        self._next_sinks: tuple[Sink, ...] | None = None
        self._work = Event()
        self._closing = Event()
        self.written = 0
        """Lines that reached every sink."""
        self.overflowed = 0
        """Lines that the thread did not keep up with."""
        self.unwritten = 0
        """Lines that a sink refused."""
        self._complain_at = 0.0
        self._thread = Thread(target=self._run, name="pointsman-decision-log", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def put(self, entry: Line) -> None:
        """Queue `entry`, or count it as lost."""
        if len(self._queue) >= self._limit:
            self.overflowed += 1
            return
        self._queue.append(entry)
        if not self._work.is_set():
            self._work.set()

    def write_to(self, sinks: Sequence[Sink]) -> None:
        """From the next batch on write to `sinks`; the former ones are closed."""
        self._next_sinks = tuple(sinks)
        self._work.set()

    async def aclose(self, *, bound: float) -> None:
        """Flush the queue and stop, or give up after `bound` seconds."""
        self._closing.set()
        self._work.set()
        if not await within(bound, self._thread.join, name="pointsman-decision-log-end"):
            logger.warning("the decision log could not be written out in time")

    def _run(self) -> None:
        while not self._closing.is_set():
            self._work.wait()
            self._closing.wait(self._gather)
            self._work.clear()
            self._empty()
        self._empty()
        _close(self._sinks)

    def _empty(self) -> None:
        if self._next_sinks is not None:
            former, self._sinks, self._next_sinks = self._sinks, self._next_sinks, None
            _close(former)
        while self._queue:
            count = min(BATCH, len(self._queue))
            self._write([self._queue.popleft() for _ in range(count)])

    def _write(self, entries: list[Line]) -> None:
        lines = self._encoded(entries)
        whole = True
        for sink in self._sinks:
            try:
                sink.write(b"".join(lines))
            except Exception as error:  # noqa: BLE001 - the thread outlives any sink
                whole = False
                self._complain(error)
        if whole:
            self.written += len(lines)
        else:
            self.unwritten += len(lines)

    def _encoded(self, entries: list[Line]) -> list[bytes]:
        lines: list[bytes] = []
        for entry in entries:
            try:
                lines.append(encode_line(entry))
            except Exception as error:  # noqa: BLE001 - a bug costs one line, not the log
                self.unwritten += 1
                self._complain(error)
        return lines

    def _complain(self, error: Exception) -> None:
        now = time.monotonic()
        if now >= self._complain_at:
            self._complain_at = now + COMPLAINT_PAUSE
            cause = error.strerror if isinstance(error, OSError) else type(error).__qualname__
            logger.warning("the decision log cannot be written: %s", cause)


def _close(sinks: Sequence[Sink]) -> None:
    for sink in sinks:
        try:
            sink.close()
        except OSError as error:
            logger.warning("a file of the decision log could not be closed: %s", error.strerror)
