"""Gateways that ask at a steady pace: ever new conversations, and turns of known ones."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections import Counter, deque
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from math import nan
from types import TracebackType
from typing import Self

from pointsman_client import DataPolicy, Outcome, RoutingClient, RoutingError, Transport

CALLERS = 4
"""For each transport."""
PAUSE = 0.12
"""Seconds between an answer and the next question of a caller."""
TIMEOUT = 10.0
"""Seconds: a machine that is busy with other things is no failure of the server."""
NEW = 0.4
"""Share of calls that begin a conversation; the others go on with a recent one."""
RECENT = 200
THIRD_PARTY = 0.5
"""The share of calls that may go to engine `morph`."""
MODELS = ("anthropic/claude-opus-4.8", "anthropic/claude-sonnet-4.6", "openai/gpt-5.5")
TASKS = (
    "Rename {0} everywhere and keep the tests green.",
    "Why does {0} deadlock when two workers start at once? Here is the trace of both.",
    "Summarise the discussion about {0} in two sentences.",
    "Design the schema for {0} with migrations that can be rolled back.",
)


@dataclass(frozen=True, slots=True)
class Latency:
    """Durations of calls in milliseconds; NaN without calls."""

    calls: int
    p50: float
    p99: float


class Callers:
    """All gateways of one server: by call, by stream and by batch at once."""

    def __init__(
        self, port: int, *, name: str, transports: Iterable[Transport] = Transport
    ) -> None:
        self._name = name
        self._clients = [
            RoutingClient(f"127.0.0.1:{port}", transport=t, timeout=TIMEOUT) for t in transports
        ]
        self._stack = AsyncExitStack()
        self._dice = random.Random(name)
        self._begun = 0
        self._recent: deque[int] = deque(maxlen=RECENT)
        self._took: list[float] = []
        self._tasks: list[asyncio.Task[None]] = []
        self.seen: Counter[str] = Counter()
        """Calls by result: `answered`, of these `cached` and the source of the
        others, or the failure."""

    async def __aenter__(self) -> Self:
        for client in self._clients:
            await self._stack.enter_async_context(client)
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
        await self._stack.aclose()

    async def fill(self, conversations: int) -> None:
        """Begin so many conversations as fast as they are answered."""
        until = self._begun + conversations

        async def begin(client: RoutingClient) -> None:
            while self._begun < until:
                await self._ask(client, new=True)

        await asyncio.gather(*(begin(c) for c in self._clients for _ in range(CALLERS)))
        self._took.clear()
        self.seen.clear()

    def start(self) -> None:
        """Ask at the steady pace from now on."""
        self._tasks += [
            asyncio.create_task(self._go_on(client))
            for client in self._clients
            for _ in range(CALLERS)
        ]

    def latency(self) -> Latency:
        """Durations of the calls since the previous use of this method."""
        took, self._took = self._took, []
        if len(took) < 2:
            return Latency(len(took), nan, nan)
        cuts = statistics.quantiles(took, n=100, method="inclusive")
        return Latency(len(took), cuts[49] * 1_000, cuts[98] * 1_000)

    async def _go_on(self, client: RoutingClient) -> None:
        await asyncio.sleep(self._dice.random() * PAUSE)
        while True:
            await self._ask(client, new=not self._recent or self._dice.random() < NEW)
            await asyncio.sleep(PAUSE)

    async def _ask(self, client: RoutingClient, *, new: bool) -> None:
        if new:
            self._begun += 1
            self._recent.append(self._begun)
        number = self._begun if new else self._dice.choice(self._recent)
        # The same for all turns of a conversation.
        denied = number % 100 >= THIRD_PARTY * 100
        began = time.perf_counter()
        try:
            answer = await client.route(
                TASKS[number % len(TASKS)].format(f"{self._name}_{number}"),
                user_id=f"user-{number}",
                session_id=f"session-{number}",
                tier="kilo-auto/frontier",
                candidates=MODELS,
                static_pick=MODELS[0],
                data_policy=DataPolicy.THIRD_PARTY_DENIED if denied else DataPolicy.UNSPECIFIED,
            )
        except RoutingError as error:
            self.seen[f"failed: {type(error).__name__}"] += 1
            return
        self._took.append(time.perf_counter() - began)
        if answer.outcome is not Outcome.ROUTED or answer.decision is None:
            self.seen[f"failed: {answer.outcome}"] += 1
            return
        self.seen["answered"] += 1
        self.seen["cached" if answer.decision.cached else answer.decision.source] += 1
