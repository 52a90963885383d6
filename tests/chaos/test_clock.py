"""The wall clock jumps: lifetimes and deadlines follow the monotonic one.

The library that shifts the clock slows the whole process down, before a jump as after it: the
phases of these rows are to be compared with each other, not with other rows.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path

import pytest
from chaos.parts.callers import RAW, RawCaller
from chaos.parts.figures import Ledger, Pace, Row
from chaos.parts.serving import policy
from chaos.parts.trial import acts, trial
from e2e.parts.pointsman import Service, pointsman_serve
from support.eventually import eventually
from support.machine import program

LIBRARY = "faketime/libfaketimeMT.so.1"
JUMPS = {"an hour forward": "+3600", "an hour back": "-3600"}


def _library() -> str:
    program("faketime", package="faketime")
    return str(next(Path("/usr/lib").glob(f"*/{LIBRARY}")))


@pytest.mark.needs("faketime")
@pytest.mark.parametrize("jump", JUMPS)
async def test_a_wall_clock_that_jumps_fails_no_caller(
    jump: str, tmp_path: Path, ledger: Ledger, pace: Pace
) -> None:
    offset = tmp_path / "offset"
    offset.write_text("+0")
    environment = {
        "LD_PRELOAD": _library(),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_CACHE_DURATION": "1",  # seconds between two looks at the file
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
    with contextlib.ExitStack() as stack:
        served = pointsman_serve(tmp_path, policy=policy(), environment=environment)
        service = await asyncio.to_thread(stack.enter_context, served)
        async with RawCaller(service.address) as caller:

            async def jumped() -> None:
                hour = _hours(service)[-1]
                _set(offset, JUMPS[jump])
                await eventually(lambda: _hours(service)[-1] != hour)

            await caller.decide("first")
            await eventually(lambda: _hours(service))
            phases = await trial(
                caller.ask, pace=pace, fault=acts(jumped, lambda: _set(offset, "+0"))
            )
        await eventually(lambda: len(service.decisions()) >= len(caller.answered))
    lines = [json.loads(line) for line in service.decision_log.read_text().splitlines()]
    longest = max(line["router_duration_ms"] or 0 for line in lines)
    shortest = min(line["router_duration_ms"] or 0 for line in lines)
    ledger.add(
        Row(
            fault=f"clock jumps {jump}",
            done="and home again, by libfaketime",
            load=RAW,
            phases=phases,
            besides=f"durations logged: {shortest:.1f} to {longest:.1f} ms",
        )
    )
    assert shortest >= 0
    assert longest < 600_000
    assert len({line["decision_id"] for line in lines}) == len(lines)


def _hours(service: Service) -> list[str]:
    """The hours of the decisions, by the service's own clock."""
    return [line["time"][:13] for line in service.decisions()]


def _set(offset: Path, text: str) -> None:
    fresh = offset.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(offset)
