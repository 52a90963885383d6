"""Steady load in phases, and what became of it: the figures of a fault."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self


class Refused(Exception):
    """The service took no call: whoever asks again loses nothing."""


@dataclass
class Phase:
    """What was sent and what came back, while one thing held."""

    seconds: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    refused: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def sent(self) -> int:
        return len(self.seconds) + len(self.failed) + self.refused

    def milliseconds(self, share: float) -> float:
        ordered = sorted(self.seconds)
        return ordered[int(share * (len(ordered) - 1))] * 1_000 if ordered else float("nan")


class Load:
    """Callers that ask one after the other, with a pause; `ask` says what was wrong, if anything.

    With a `rate` calls begin at moments of the clock, so many a second: whoever is free takes the
    next one, at once where it is over already. Whatever `ask` raises is a call that was not
    answered.
    """

    def __init__(
        self,
        ask: Callable[[int], Awaitable[str | None]],
        *,
        callers: int = 8,
        pause: float = 0.01,
        rate: float | None = None,
    ) -> None:
        self._ask = ask
        self._callers = callers
        self._pause = pause
        self._moments = itertools.count(time.perf_counter(), 1 / rate) if rate else None
        self._numbers = itertools.count()
        self._tasks: list[asyncio.Task[None]] = []
        self._going = True
        self.phases: dict[str, Phase] = {}
        self._now = Phase()

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._call()) for _ in range(self._callers)]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Calls under way end in their own time: cut off, they could hide that they hang.
        self._going = False
        await asyncio.gather(*self._tasks)

    def begin(self, name: str) -> Phase:
        """From now on calls count here; each counts where it began."""
        self._now = self.phases[name] = Phase()
        return self._now

    async def phase(self, name: str, seconds: float) -> Phase:
        """Begin a phase and let it last."""
        now = self.begin(name)
        await self.last(seconds)
        return now

    async def last(self, seconds: float) -> None:
        """Let the phase go on, until at least one of its calls has ended."""
        await asyncio.sleep(seconds)
        while not self._now.sent:  # noqa: ASYNC110  (calls have deadlines; a load has no event)
            await asyncio.sleep(self._pause)

    async def _call(self) -> None:
        while self._going:
            phase, began = self._now, time.perf_counter()
            try:
                wrong = await self._ask(next(self._numbers))
            except Refused:
                phase.refused += 1
            except Exception as error:  # noqa: BLE001  (whatever it was, it was no answer)
                phase.failed.append(repr(error))
            else:
                phase.seconds.append(time.perf_counter() - began)
                phase.wrong += [wrong] if wrong else []
            await asyncio.sleep(self._until_next())

    def _until_next(self) -> float:
        if self._moments is None:
            return self._pause
        return max(0.0, next(self._moments) - time.perf_counter())
