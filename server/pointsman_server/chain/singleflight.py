"""Single flight: identical cache misses in flight share one engine call."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from pointsman_server.core.candidates import contains_answer
from pointsman_server.core.model import EngineAnswer, EngineQuery
from pointsman_server.core.ports import Clock, DecisionEngine


class _Flight:
    """One shared call, and a future for each caller that waits for it.

    Bare futures, because a shield and a timeout around the task took twice as long as the rest of a
    flight with one caller.
    """

    def __init__(self, answering: Coroutine[Any, Any, EngineAnswer]) -> None:
        self.task = asyncio.create_task(answering)
        self._seats: set[asyncio.Future[EngineAnswer | None]] = set()

    async def board(self, patience: float | None) -> EngineAnswer | None:
        """Return the call's answer or raise its error; `None` after `patience` seconds."""
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
        """Whether every caller left before the call ended."""
        return not self._seats and not self.task.done()

    def land(self, task: asyncio.Task[EngineAnswer]) -> None:
        """Pass the answer or the error to the waiting callers."""
        # Retrieved even if no caller waits any more.
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
    """Shares one delegate call per key.

    The shared call has no deadline of a caller: its engines' own timeouts bound it, and it is
    cancelled when the last caller stops waiting. A caller whose deadline comes near stops waiting
    and decides alone. Neither a deadline nor a cancellation affects the other callers.
    """

    def __init__(self, delegate: DecisionEngine, *, clock: Clock) -> None:
        self._delegate = delegate
        self._clock = clock
        self.flights: dict[bytes, _Flight] = {}

    async def decide(self, query: EngineQuery) -> EngineAnswer:
        """Return the answer of the flight for `query.key`; without a key, the delegate's."""
        if query.key is None:
            return await self._delegate.decide(query)
        answer = await self._fly(query.key, query)
        # Keys cover neither public ids nor fences: the model may not be one of this request's.
        if answer is not None and contains_answer(answer, query.candidates):
            return answer
        return await self._delegate.decide(query)

    async def _fly(self, key: bytes, query: EngineQuery) -> EngineAnswer | None:
        """Return the shared answer, or `None` if the caller's time ran out before it."""
        flight = self.flights.get(key)
        if flight is None:
            flight = self._start(key, replace(query, deadline=None))
        try:
            return await flight.board(self.patience(query))
        finally:
            if flight.is_abandoned:
                flight.task.cancel()
                self.flights.pop(key, None)

    def _start(self, key: bytes, query: EngineQuery) -> _Flight:
        flight = self.flights[key] = _Flight(self._delegate.decide(query))

        def landed(task: asyncio.Task[EngineAnswer]) -> None:
            if self.flights.get(key) is flight:
                del self.flights[key]
            flight.land(task)

        flight.task.add_done_callback(landed)
        return flight

    def patience(self, query: EngineQuery) -> float | None:
        """Seconds that a caller may wait for another's flight; `None`: without bound."""
        if query.deadline is None:
            return None
        return max(0.0, query.deadline - self._clock.monotonic())
