"""The limit of concurrent calls and decisions, with a share for each caller."""

from __future__ import annotations

from typing import Protocol

from pointsman_server.core.errors import Overloaded
from pointsman_server.core.fair_share import WORK, FairShare

RETRY_AFTER = 0.25
"""Seconds after which a refused caller may retry."""


class CallMeter(Protocol):
    """Counts calls."""

    def in_flight(self, change: int) -> None:
        """Count a call that began (+1) or ended (-1)."""
        ...

    def shed(self) -> None:
        """Count a call refused for overload."""
        ...

    def call(self, method: str | None, *, caller: str | None, status: str) -> None:
        """Count a call, or a decision inside one, that was answered or refused.

        `method` is a served method or `None`, never the caller's text.
        """
        ...


class ConcurrencyLimiter:
    """Admits at most `limit` decisions and calls at once, with a share for each caller."""

    def __init__(self, *, limit: int, meter: CallMeter) -> None:
        self._places = FairShare(limit)
        self._meter = meter

    def __enter__(self) -> None:
        if not self._places.take(WORK.get().caller):
            self._meter.shed()
            raise Overloaded(retry_after=RETRY_AFTER)
        self._meter.in_flight(1)

    def __exit__(self, *_: object) -> None:
        self._places.leave(WORK.get().caller)
        self._meter.in_flight(-1)
