"""One caller takes all that it can get: another one's decisions are made in time."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from chaos.parts.callers import RAW, RawCaller
from chaos.parts.figures import Ledger, Pace, Row
from chaos.parts.processes import MB, Peak
from chaos.parts.serving import policy
from chaos.parts.trial import trial
from e2e.parts.pointsman import Service, pointsman_serve

KINDS = {
    "misses": "64 new decisions at once on one connection, each followed by the next",
    "batches": "eight batches of 256 with dry_run and classify at once, each followed by the next",
    "streams": "four streams, written as fast as they take requests",
}
REPOSITORY = Path(__file__).parents[2]
STARTED = 2.0
"""Seconds until the greedy caller is in full swing."""
MOST_GROWTH = 256 * MB


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with pointsman_serve(tmp_path_factory.mktemp("greedy"), policy=policy()) as running:
        yield running


@contextlib.asynccontextmanager
async def _beside(kind: str, port: int) -> AsyncIterator[None]:
    """A greedy caller in a process of its own, which lives until the block ends."""
    command = [sys.executable, "-m", "benchmarks.fair_shares", "--greedy", str(port)]
    process = await asyncio.create_subprocess_exec(*command, "--kind", kind, cwd=REPOSITORY)
    try:
        await asyncio.sleep(STARTED)
        yield
        assert process.returncode is None, "the greedy caller was thrown out"
    finally:
        process.kill()
        await process.wait()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_greedy_caller_costs_a_quiet_one_no_decision(
    kind: str, service: Service, ledger: Ledger, pace: Pace
) -> None:
    port = int(service.address.rpartition(":")[2])
    peak = Peak(service.program.child.pid)
    async with RawCaller(service.address) as caller:
        phases = await trial(caller.ask, pace=pace, fault=_beside(kind, port), callers=1)
        stages = caller.judge.stages
    ledger.add(
        Row(
            fault=f"greedy caller: {kind}",
            done=KINDS[kind],
            load=f"{RAW}, one caller",
            phases=phases,
            besides=f"{stages.total()} engine failures; RSS {peak.growth / MB:+.1f} MB at its peak",
        )
    )
    assert not stages
    assert peak.growth < MOST_GROWTH
