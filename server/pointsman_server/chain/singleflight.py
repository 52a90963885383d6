"""Identical misses in flight share one call."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from pointsman_server.core import entry
from pointsman_server.core.errors import EnginesFailed
from pointsman_server.core.model import EngineAnswer, EngineQuery
from pointsman_server.core.ports import Clock, DecisionEngine

ANSWER_MARGIN = 0.02
"""Seconds of a caller's deadline that are kept for deciding without a remote engine."""

DEADLINE = "deadline"
"""The failure stage of an engine that the first caller's deadline cut off."""


class _Flight:
    """One call, and a seat for each who waits for it.

    Seats are bare futures: a shield and a timeout around the task took twice as long as the rest
    of a flight of one.
    """

    def __init__(self, answering: Coroutine[Any, Any, EngineAnswer]) -> None:
        self.task = asyncio.create_task(answering)
        self._seats: set[asyncio.Future[EngineAnswer | None]] = set()

    async def board(self, patience: float | None) -> EngineAnswer | None:
        """The call's answer or error; `None` where that took longer than `patience`."""
        loop = asyncio.get_running_loop()
        seat: asyncio.Future[EngineAnswer | None] = loop.create_future()
        self._seats.add(seat)
        timer = None if patience is None else loop.call_later(patience, _give_up, seat)
        try:
            return await seat
        finally:
            self._seats.discard(seat)
            if timer is not None:
                timer.cancel()

    @property
    def is_abandoned(self) -> bool:
        """Whether everybody left before it landed."""
        return not self._seats and not self.task.done()

    def land(self, task: asyncio.Task[EngineAnswer]) -> None:
        """Tell the answer or the error to those who wait."""
        # Seen, even where every waiter has left.
        error = None if task.cancelled() else task.exception()
        for seat in self._seats:
            if seat.done():
                continue
            if task.cancelled():
                seat.cancel()
            elif error is not None:
                seat.set_exception(error)
            else:
                seat.set_result(task.result())


def _give_up(seat: asyncio.Future[EngineAnswer | None]) -> None:
    if not seat.done():
        seat.set_result(None)


class SingleFlight:
    """Shares one delegate call a key.

    The shared call runs with its first caller's deadline. Cancelling a caller cancels nobody
    else; when the last one leaves, the call ends too. A caller whose own time runs out decides
    alone; those who have time left when the shared call ran out of its share another one.
    """

    def __init__(self, delegate: DecisionEngine, *, clock: Clock) -> None:
        self._delegate = delegate
        self._clock = clock
        self._flights: dict[bytes, _Flight] = {}

    async def decide(self, query: EngineQuery) -> EngineAnswer:
        """The answer of the flight for `query.key`; a query without a key flies alone."""
        if query.key is None:
            return await self._delegate.decide(query)
        answer = None
        while answer is None:
            answer = await self._fly(query.key, query)
        # Keys know neither public ids nor fences: another caller's model may not be one of ours.
        if entry.holds(answer, query.candidates):
            return answer
        return await self._delegate.decide(query)

    async def _fly(self, key: bytes, query: EngineQuery) -> EngineAnswer | None:
        """Share one call; `None` where it ran out of another caller's time."""
        flight = self._flights.get(key)
        leads = flight is None
        if flight is None:
            flight = self._start(key, query)
        try:
            answer = await flight.board(self._patience(query))
        except EnginesFailed as error:
            if leads or all(f.stage != DEADLINE for f in error.failures):
                raise
            return None
        finally:
            if flight.is_abandoned:
                flight.task.cancel()
                self._flights.pop(key, None)
        return answer or await self._delegate.decide(query)

    def _start(self, key: bytes, query: EngineQuery) -> _Flight:
        flight = self._flights[key] = _Flight(self._delegate.decide(query))

        def landed(task: asyncio.Task[EngineAnswer]) -> None:
            if self._flights.get(key) is flight:
                del self._flights[key]
            flight.land(task)

        flight.task.add_done_callback(landed)
        return flight

    def _patience(self, query: EngineQuery) -> float | None:
        if query.deadline is None:
            return None
        return max(0.0, query.deadline - self._clock.monotonic() - ANSWER_MARGIN)
