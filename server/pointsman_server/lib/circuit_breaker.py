"""The state of a circuit breaker; its owner reports the end of each call."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum


class Circuit(StrEnum):
    """Closed lets calls through, open none, half-open a single probe."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class CircuitBreaker:
    """Opens after `failures` consecutive failures; half-open `pause` seconds later.

    `now` gives seconds of a clock that never goes back.
    """

    def __init__(self, *, failures: int, pause: float, now: Callable[[], float]) -> None:
        self._failures = failures
        self._pause = pause
        self._now = now
        self._opened_at: float | None = None
        self.consecutive_failures = 0

    @property
    def state(self) -> Circuit:
        """The state that the next call meets."""
        if self._opened_at is None:
            return Circuit.CLOSED
        rested = self._now() - self._opened_at >= self._pause
        return Circuit.HALF_OPEN if rested else Circuit.OPEN

    def succeeded(self) -> bool:
        """Count a success. Returns whether it closed the circuit."""
        self.consecutive_failures = 0
        closed, self._opened_at = self._opened_at is not None, None
        return closed

    def failed(self) -> bool:
        """Count a failure. Returns whether it opened a closed circuit.

        Failures of calls that began before it opened do not put the probe off.
        """
        self.consecutive_failures += 1
        if self._opened_at is not None or self.consecutive_failures < self._failures:
            return False
        self.open()
        return True

    def open(self) -> None:
        """Open now, or begin the pause again."""
        self._opened_at = self._now()
