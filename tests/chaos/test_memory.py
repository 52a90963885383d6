"""Conversations that never end: the cache is bounded, so memory is flat."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path

import httpx
from chaos.parts.callers import RAW, RawCaller
from chaos.parts.figures import Ledger, Pace, Row
from chaos.parts.processes import MB, Taken, slope
from chaos.parts.serving import policy
from e2e.parts.pointsman import Service, pointsman_serve
from support.load import Load

A_MINUTE = 20_000
CALLERS = 16
POINTS = 200
"""How often memory is looked at."""
MOST_IN_ALL = 900_000
"""Bytes that a service may grow by once its cache is full, however few conversations come: it takes
memory by the page and the arena. In the short form the count of entries is what is exact."""
MOST_EACH = 64
"""Bytes that each of many may cost; one in the cache takes 340."""


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
                if number % max(1, pace.conversations // POINTS) == 0:
                    points.append((number, Taken.by(pid).rss))
                session = caller.judge.session(f"one-of-many-{number}")
                answer = await caller.decide(session)
                return caller.judge.wrong(answer, session)

            async with Load(ask, callers=CALLERS, rate=A_MINUTE / 60) as load:
                await _reached(load, "before", 4 * entries)
                points.clear()
                began = time.perf_counter()
                count = await _reached(load, "during", pace.conversations)
                seconds = time.perf_counter() - began
                measured = tuple(points)
                await load.phase("after", pace.phase)
        kept = await asyncio.to_thread(_entries, service)
    grew, each = measured[-1][1] - measured[0][1], slope(measured)
    rate = f"{count / seconds * 60:,.0f} a minute"
    ledger.add(
        Row(
            fault="20,000 conversations a minute",
            done=f"{count:,} distinct ones in {seconds:.0f} s: {rate}; room for {entries:,}",
            load=RAW,
            phases=load.phases,
            besides=f"{kept:,.0f} in the cache; RSS {measured[-1][1] / MB:.0f} MB,"
            f" {grew / MB:+.1f} MB; slope {each:+.1f} bytes a conversation",
        )
    )
    # Sets fill unevenly: some places may be free.
    assert 0.8 * entries <= kept <= entries
    assert each < max(MOST_EACH, MOST_IN_ALL / count)


def _entries(service: Service) -> float:
    """What the service says of its cache."""
    lines = httpx.get(service.metrics_url).text.splitlines()
    found = [line for line in lines if line.startswith("pointsman_cache_entries")]
    return sum(float(line.rpartition(" ")[2]) for line in found)


async def _reached(load: Load, name: str, count: int) -> int:
    """Begin a phase, and let it last until so many calls have ended."""
    phase = load.begin(name)
    while phase.sent < count:  # noqa: ASYNC110  (a load has no event for it)
        await asyncio.sleep(0.02)
    return phase.sent
