"""Background requests of the blocking client: a bounded queue and a few daemon threads."""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from pointsman_client.errors import Fallback, RoutingError
from pointsman_client.mirror import MirrorCounts, MirrorLimits
from pointsman_client.model import RouteRequest
from pointsman_client.results import RouteResult
from pointsman_client.trace import current_trace, in_trace

_POLL = 0.02
"""Seconds between looks at the queue while it drains."""


class BlockingMirror:
    """Sends requests through `ask` in worker threads, which start with the first request."""

    def __init__(
        self, ask: Callable[[RouteRequest, float], RouteResult], *, limits: MirrorLimits
    ) -> None:
        self._ask = ask
        self._limits = limits
        self._closed = False
        self.forget()

    def forget(self) -> None:
        """Reset in a forked child, which has none of the parent's threads and requests."""
        self._lock = threading.Lock()
        self._queue: queue.Queue[tuple[RouteRequest, Any] | None] = queue.Queue(
            self._limits.waiting
        )
        self._workers: list[threading.Thread] = []
        self._submitted = self._sent = self._dropped = self._in_flight = 0
        self._failures: Counter[Fallback] = Counter()

    @property
    def counts(self) -> MirrorCounts:
        """Counts of the requests so far, by result."""
        with self._lock:
            return MirrorCounts(
                submitted=self._submitted,
                sent=self._sent,
                failed=self._failures.total(),
                dropped=self._dropped,
                waiting=self._queue.qsize(),
                in_flight=self._in_flight,
                failures=dict(self._failures),
            )

    @property
    def is_full(self) -> bool:
        """Whether the next request would be dropped."""
        return self._closed or self._queue.full()

    def drop(self, cause: Fallback | None = None) -> bool:
        """Count a request that is not sent, and why; returns False."""
        with self._lock:
            self._submitted += 1
            if cause is None:
                self._dropped += 1
            else:
                self._failures[cause] += 1
        return False

    def submit(self, request: RouteRequest) -> bool:
        """Queue one request without waiting; False if it was dropped."""
        with self._lock:
            self._start()
            self._submitted += 1
            try:
                self._queue.put_nowait((request, current_trace()))
            except queue.Full:
                self._dropped += 1
                return False
            return True

    def close(self) -> None:
        """Take no more, give waiting requests `drain` seconds, then let the workers end."""
        self._closed = True
        end = time.monotonic() + self._limits.drain
        while self._queue.unfinished_tasks and time.monotonic() < end:
            time.sleep(_POLL)
        with self._lock:
            while not self._queue.empty():
                self._queue.get_nowait()
                self._dropped += 1
            for _ in self._workers:
                self._queue.put_nowait(None)
            self._workers.clear()

    def _start(self) -> None:
        while len(self._workers) < min(self._limits.workers, self._limits.waiting):
            name = f"pointsman-mirror-{len(self._workers)}"
            worker = threading.Thread(
                target=self._work, args=(self._queue,), name=name, daemon=True
            )
            worker.start()
            self._workers.append(worker)

    def _work(self, waiting: queue.Queue[tuple[RouteRequest, Any] | None]) -> None:
        while (item := waiting.get()) is not None:
            request, trace = item
            with self._lock:
                self._in_flight += 1
            failure = self._send(request, trace)
            with self._lock:
                self._in_flight -= 1
                if failure is None:
                    self._sent += 1
                else:
                    self._failures[failure] += 1
            waiting.task_done()

    def _send(self, request: RouteRequest, trace: Any) -> Fallback | None:
        try:
            with in_trace(trace):
                self._ask(request, self._limits.timeout)
        except RoutingError as error:
            return error.fallback
        except Exception:  # noqa: BLE001  # one request must not end the worker of the others
            return Fallback.CLIENT_FAULT
        return None
