"""Identical misses in flight share one call."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from pointsman_server.core import entry
from pointsman_server.core.errors import EnginesFailed
from pointsman_server.core.model import EngineAnswer, EngineQuery
from pointsman_server.core.ports import Clock, DecisionEngine

ANSWER_MARGIN = 0.02
"""Seconds of a caller's deadline that are kept for deciding without a remote engine."""

DEADLINE = "deadline"
"""The failure stage of an engine that the first caller's deadline cut off."""


@dataclass(slots=True)
class _Flight:
    task: asyncio.Task[EngineAnswer]
    waiters: int = 0


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
        flight.waiters += 1
        try:
            async with asyncio.timeout(self._patience(query)):
                return await asyncio.shield(flight.task)
        except TimeoutError:
            return await self._delegate.decide(query)
        except EnginesFailed as error:
            if leads or all(f.stage != DEADLINE for f in error.failures):
                raise
            return None
        finally:
            flight.waiters -= 1
            if flight.waiters == 0 and not flight.task.done():
                flight.task.cancel()
                self._flights.pop(key, None)

    def _start(self, key: bytes, query: EngineQuery) -> _Flight:
        flight = _Flight(asyncio.create_task(self._delegate.decide(query)))
        self._flights[key] = flight

        def land(task: asyncio.Task[EngineAnswer]) -> None:
            if self._flights.get(key) is flight:
                del self._flights[key]
            if not task.cancelled():
                task.exception()  # seen, even where every waiter has left

        flight.task.add_done_callback(land)
        return flight

    def _patience(self, query: EngineQuery) -> float | None:
        if query.deadline is None:
            return None
        return max(0.0, query.deadline - self._clock.monotonic() - ANSWER_MARGIN)
