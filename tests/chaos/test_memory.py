"""Conversations that never end: the cache is bounded, so memory is flat."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path

from chaos.parts.callers import RAW, RawCaller
from chaos.parts.figures import Ledger, Pace, Row
from chaos.parts.processes import MB, Taken, slope
from chaos.parts.serving import policy
from e2e.parts.pointsman import pointsman_serve
from support.load import Load

A_MINUTE = 20_000
CALLERS = 16
MOST_PER_CONVERSATION = 64
"""Bytes that a further conversation may cost once the cache is full; one in it takes 440."""


async def test_memory_is_flat_however_many_conversations_come(
    tmp_path: Path, ledger: Ledger, pace: Pace
) -> None:
    # The cache fills first; from then on a conversation comes for one that goes.
    entries = min(5_000, pace.conversations // 10)
    with contextlib.ExitStack() as stack:
        document = policy()
        document["cache"]["max_entries"] = entries
        served = pointsman_serve(tmp_path, policy=document)
        service = await asyncio.to_thread(stack.enter_context, served)
        pid = service.program.child.pid
        points: list[tuple[float, float]] = []
        async with RawCaller(service.address) as caller:

            async def ask(number: int) -> str | None:
                if number % max(1, pace.conversations // 200) == 0 and load.phases:
                    points.append((number, Taken.by(pid).rss))
                session = caller.judge.session(f"one-of-many-{number}")
                answer = await caller.decide(session)
                return caller.judge.wrong(answer, session)

            async with Load(ask, callers=CALLERS, pause=60 * CALLERS / A_MINUTE) as load:
                await _reached(load, "before", 4 * entries)
                points.clear()
                began = time.perf_counter()
                await _reached(load, "during", pace.conversations)
                seconds = time.perf_counter() - began
        grew = points[-1][1] - points[0][1]
        each = slope(points)
        row = Row(
            fault="20,000 conversations a minute",
            done=f"{len(load.phases['during'].seconds):,} distinct ones in {seconds:.0f} s,"
            f" {entries:,} kept",
            load=RAW,
            phases=load.phases,
            besides=f"RSS {points[-1][1] / MB:.0f} MB, {grew / MB:+.1f} MB;"
            f" slope {each:+.1f} bytes a conversation",
        )
        ledger.add(row)
        assert not pace.long or each < MOST_PER_CONVERSATION
        assert grew < 32 * MB


async def _reached(load: Load, name: str, count: int) -> None:
    phase = load.begin(name)
    while phase.sent < count:  # noqa: ASYNC110  (a load has no event for it)
        await asyncio.sleep(0.02)
