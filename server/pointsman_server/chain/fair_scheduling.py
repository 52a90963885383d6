"""Turns at the event loop: asking an engine takes the processor, and kept decisions go first."""

from __future__ import annotations

import asyncio
from collections import deque

from pointsman_server.core.model import EngineAnswer, EngineQuery
from pointsman_server.core.ports import DecisionEngine

ROUNDS = 64
"""Rounds of the event loop between two turns.

A call comes to the loop through a thread of gRPC's, in several steps, and each call behind it
waits for its first one. Without work a round of uvloop takes half a microsecond: these rounds leave
that thread the time for a step. They are 3 to 8 % of a decision's processor time; fewer rounds, or
more callers a turn, cost cached calls more than they save (docs/performance.md).
"""


class FairScheduler:
    """Lets callers through one by one, in order, with some rounds of the loop between two.

    In these the loop takes in what arrived meanwhile and answers what is kept. Who comes alone does
    not wait. How many wait is bounded by the calls that are let in at all. Of one event loop.
    """

    def __init__(self, *, rounds: int = ROUNDS) -> None:
        self._rounds = rounds
        self._left = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def take(self) -> None:
        """Return when it is the caller's turn, which ends when it waits for something."""
        loop = asyncio.get_running_loop()
        if self._left:
            turn = loop.create_future()
            self._waiting.append(turn)
            await turn
        else:
            self._left = self._rounds
            loop.call_soon(self._round)

    def _round(self) -> None:
        self._left -= 1
        if self._left == 0 and self._next():
            self._left = self._rounds
        if self._left:
            asyncio.get_running_loop().call_soon(self._round)

    def _next(self) -> bool:
        """Whether somebody was waiting. Who left meanwhile takes no turn."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return True
        return False


class ScheduledEngine:
    """An engine whose calls take turns with each other, and with those of engines that share them.

    The turn is over when the call waits for an answer: a slow engine holds up nobody.
    """

    def __init__(self, delegate: DecisionEngine, *, turns: FairScheduler) -> None:
        self._delegate = delegate
        self._turns = turns

    async def decide(self, query: EngineQuery) -> EngineAnswer:
        """The delegate's answer. Raises what it raises."""
        await self._turns.take()
        return await self._delegate.decide(query)
