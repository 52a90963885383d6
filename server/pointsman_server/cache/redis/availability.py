"""Circuit breaker with an active probe: an open circuit costs microseconds per request.

A background task probes the store, so no caller pays for a probe.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from pointsman_server.lib.circuit_breaker import CircuitBreaker

FAILURES = 3
"""Failures one after the other that begin a rest. Commands under way together count as one."""
PAUSE = 1.0
"""Seconds between two probes."""

_log = logging.getLogger(__name__)


class AvailabilityMonitor:
    """Counts failures, and probes while the circuit is open: `probe` returns the error or `None`.

    `now` is the loop's clock.
    """

    def __init__(
        self,
        *,
        probe: Callable[[], Awaitable[object]],
        now: Callable[[], float],
        on_reachable: Callable[[bool], None],
        pause: float = PAUSE,
    ) -> None:
        self._probe = probe
        self._now = now
        self._on_reachable = on_reachable
        self._pause = pause
        self._circuit = CircuitBreaker(failures=FAILURES, pause=pause, now=now)
        self._counted = float("-inf")
        self._probing: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def resting(self) -> bool:
        """Whether the circuit is open."""
        return self._closed or self._probing is not None

    def succeeded(self) -> None:
        """The store answered."""
        self._circuit.succeeded()

    def failed(self, stage: str, *, began: float, at_once: bool = False) -> None:
        """A command that began at `began` failed at `stage`; `at_once`: one is enough."""
        if self.resting or began < self._counted:
            return
        self._counted = self._now()
        if self._circuit.failed() or at_once:
            self.begin(stage)

    def begin(self, stage: str) -> None:
        """Rest from now on, until a probe succeeds."""
        if not self.resting:
            _log.warning("the shared cache does not answer (%s): going on without it", stage)
            self._on_reachable(False)  # noqa: FBT003  (as its type says)
            self._probing = asyncio.create_task(self._until_back(), name="shared cache probe")

    async def aclose(self) -> None:
        """Stop probing; the rest lasts, since a question would open connections again."""
        self._closed = True
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.wait({self._probing})

    async def _until_back(self) -> None:
        while True:
            await asyncio.sleep(self._pause)
            if await self._probe() is None:
                break
        self._circuit.succeeded()
        self._probing = None
        self._on_reachable(True)  # noqa: FBT003  (as its type says)
        _log.warning("the shared cache answers again")
