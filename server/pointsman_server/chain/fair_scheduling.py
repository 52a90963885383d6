"""Fair scheduling of CPU work on the event loop, by caller and deadline.

Deciding takes the processor for a fraction of a millisecond. Without a schedule, a caller that
sends hundreds of requests at once would keep the event loop busy for everybody else.
"""

from __future__ import annotations

import asyncio
from collections import deque
from heapq import heappop, heappush

from pointsman_server.core.fair_share import WORK
from pointsman_server.core.model import EngineAnswer, EngineQuery
from pointsman_server.core.ports import DecisionEngine

ROUNDS = 64
"""Event-loop iterations between two turns.

A call reaches the loop in several steps through one of gRPC's threads. An idle iteration of uvloop
takes half a microsecond; these iterations give that thread the time for a step. They are 3 to 8 %
of a decision's processor time (docs/performance.md).
"""
LIGHT_ROUNDS = 16
"""The same after a turn that asks no engine."""
CREDIT = 2
"""Turns of a newly active caller before it waits in rotation: one decision, from request to
answer."""


class _CallerQueue:
    """The waiting turns of one caller, earliest deadline first."""

    def __init__(self, caller: str | None) -> None:
        self.caller = caller
        self.credit = CREDIT
        self._waiting: list[tuple[float, int, asyncio.Future[None], int]] = []

    def push(self, deadline: float, number: int, turn: asyncio.Future[None], rounds: int) -> None:
        heappush(self._waiting, (deadline, number, turn, rounds))

    def pop(self) -> tuple[asyncio.Future[None], int] | None:
        """The next turn that is still wanted, with its rounds."""
        while self._waiting:
            _, _, turn, rounds = heappop(self._waiting)
            if not turn.done():
                return turn, rounds
        return None


class FairScheduler:
    """Grants turns one at a time, with some iterations of the loop between two.

    Callers are served in rotation; a newly active caller comes first (as flows do in FQ-CoDel,
    RFC 8290). Within a caller the earliest deadline comes first. During the iterations between two
    turns the loop accepts calls and answers cached ones. A task that finds the loop idle does not
    wait. The number of waiting turns is bounded by the limit of calls in flight. One scheduler
    belongs to one event loop.
    """

    def __init__(self, *, rounds: int = ROUNDS) -> None:
        self._rounds = rounds
        self._left = 0
        self._number = 0
        self.queues: dict[str | None, _CallerQueue] = {}
        self._fresh: deque[_CallerQueue] = deque()
        self._rotation: deque[_CallerQueue] = deque()

    async def take(self, *, light: bool = False) -> bool:
        """Return when the turn of the current context's `WORK` comes; `True` if it waited.

        The turn lasts until the task next suspends. A `light` turn asks no engine.
        """
        rounds = min(LIGHT_ROUNDS, self._rounds) if light else self._rounds
        loop = asyncio.get_running_loop()
        if not self._left:
            self._left = rounds
            loop.call_soon(self._round)
            return False
        turn = loop.create_future()
        self._number += 1
        caller, due = WORK.get()
        self._queue(caller).push(due, self._number, turn, rounds)
        await turn
        return True

    def _queue(self, caller: str | None) -> _CallerQueue:
        queue = self.queues.get(caller)
        if queue is None:
            queue = self.queues[caller] = _CallerQueue(caller)
            self._fresh.append(queue)
        return queue

    def _round(self) -> None:
        self._left -= 1
        if self._left == 0:
            self._left = self._next()
        if self._left:
            asyncio.get_running_loop().call_soon(self._round)

    def _next(self) -> int:
        """Grant the next turn; return its rounds, or 0 if no turn is waiting."""
        while self._fresh or self._rotation:
            fresh = bool(self._fresh)
            queue = (self._fresh or self._rotation).popleft()
            granted = queue.pop()
            if granted is not None:
                queue.credit -= 1
                (self._fresh if fresh and queue.credit > 0 else self._rotation).append(queue)
                turn, rounds = granted
                turn.set_result(None)
                return rounds
            if fresh:
                # It stays in rotation once: a caller must not come first with every request.
                self._rotation.append(queue)
            else:
                del self.queues[queue.caller]
        return 0


class ScheduledEngine:
    """An engine that takes a turn before each call.

    The turn ends when the call first suspends, so a slow engine delays nobody.
    """

    def __init__(self, delegate: DecisionEngine, *, turns: FairScheduler) -> None:
        self._delegate = delegate
        self._turns = turns

    async def decide(self, query: EngineQuery) -> EngineAnswer:
        """Return the delegate's answer. Exceptions of the delegate are passed on."""
        await self._turns.take()
        return await self._delegate.decide(query)
