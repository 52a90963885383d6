"""Steady load in phases, and what became of it: the figures of a fault."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self


@dataclass
class Phase:
    """What was sent and what came back, while one thing held."""

    seconds: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def sent(self) -> int:
        return len(self.seconds) + len(self.failed)

    def milliseconds(self, share: float) -> float:
        ordered = sorted(self.seconds)
        return ordered[int(share * (len(ordered) - 1))] * 1_000 if ordered else float("nan")

    def row(self) -> str:
        """Sent, answered, wrong, p50 and p99 in milliseconds."""
        p50, p99 = self.milliseconds(0.5), self.milliseconds(0.99)
        answered, wrong = len(self.seconds), len(self.wrong)
        return f"{self.sent:6d} {answered:6d} {wrong:4d} {p50:7.2f} {p99:7.2f}"


class Load:
    """Callers that ask one after the other, with a pause; `ask` says what was wrong, if anything.

    Whatever `ask` raises is a call that was not answered.
    """

    def __init__(
        self, ask: Callable[[int], Awaitable[str | None]], *, callers: int = 8, pause: float = 0.01
    ) -> None:
        self._ask = ask
        self._callers = callers
        self._pause = pause
        self._numbers = itertools.count()
        self._tasks: list[asyncio.Task[None]] = []
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
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def phase(self, name: str, seconds: float) -> Phase:
        """Go on for so long; calls count where they began."""
        self._now = self.phases[name] = Phase()
        await asyncio.sleep(seconds)
        return self._now

    def table(self, title: str) -> str:
        """The figures of all phases."""
        head = f"\n{title}\n{'':8s}   sent answ. wrong    p50     p99 (ms)"
        return "\n".join([head, *(f"{name:8s} {p.row()}" for name, p in self.phases.items())])

    async def _call(self) -> None:
        while True:
            phase, began = self._now, time.perf_counter()
            try:
                wrong = await self._ask(next(self._numbers))
            except Exception as error:  # noqa: BLE001  (whatever it was, it was no answer)
                phase.failed.append(repr(error))
            else:
                phase.seconds.append(time.perf_counter() - began)
                phase.wrong += [wrong] if wrong else []
            await asyncio.sleep(self._pause)
