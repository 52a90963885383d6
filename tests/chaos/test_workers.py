"""Several processes on one port: one of them crashes, or the supervisor is told to end."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import yaml
from chaos.parts.callers import (
    CLIENT,
    RAW,
    UNTIL_STARTED,
    ClientCaller,
    RawCaller,
    local_model,
)
from chaos.parts.figures import Ledger, Pace, Row
from chaos.parts.judge import Judge
from chaos.parts.serving import policy
from chaos.parts.trial import acts, trial
from support.eventually import eventually
from support.fleet import Fleet, fleet

CALLERS = 8
"""Connections: together they reach every worker."""


def _policy(folder: Path) -> tuple[Path, Path]:
    """A policy file and the decision log that it names."""
    folder.mkdir()
    path, log = folder / "policy.yaml", folder / "decisions.jsonl"
    named = {"stdout": False, "file": str(log)}
    path.write_text(yaml.safe_dump({**policy(), "decision_log": named}, sort_keys=False))
    return path, log


def _workers(
    path: Path, address: str = "127.0.0.1:0"
) -> contextlib.AbstractAsyncContextManager[Fleet]:
    arguments = ("--workers", "2", "--policy-file", str(path), "--listen", address)
    return fleet(path.parent, *arguments, environment={"POINTSMAN_ADMIN_LISTEN": ""})


@contextlib.asynccontextmanager
async def _callers(running: Fleet) -> AsyncIterator[list[RawCaller]]:
    async with contextlib.AsyncExitStack() as stack:
        target = f"127.0.0.1:{running.port}"
        yield [
            await stack.enter_async_context(RawCaller(target, deadline=UNTIL_STARTED))
            for _ in range(CALLERS)
        ]


async def test_a_worker_that_crashes_is_covered_by_the_client_and_replaced(
    tmp_path: Path, ledger: Ledger, pace: Pace
) -> None:
    path, _ = _policy(tmp_path / "fleet")
    async with _workers(path) as running, contextlib.AsyncExitStack() as stack:
        await eventually(lambda: len(running.workers) == 2)
        target = f"127.0.0.1:{running.port}"
        async with RawCaller(target) as raw:
            judge = Judge(await local_model(raw.stub))
        callers = [ClientCaller(target, judge) for _ in range(CALLERS)]
        for caller in callers:
            await stack.enter_async_context(caller.client)

        async def kill() -> None:
            os.kill(running.workers[0].pid, signal.SIGKILL)
            await eventually(lambda: len(running.workers) == 3)

        phases = await trial(
            lambda number: callers[number % CALLERS].ask(number), pace=pace, fault=acts(kill)
        )
        fallbacks = sum(caller.fallbacks for caller in callers)
    ledger.add(
        Row(
            fault="kill -9 one of two workers",
            done="killed; the supervisor starts another one",
            load=CLIENT,
            phases=phases,
            besides=f"{fallbacks} answered with the static pick",
        )
    )
    assert fallbacks == 0


async def test_an_orderly_stop_of_all_workers_answers_every_call_that_was_accepted(
    tmp_path: Path, ledger: Ledger, pace: Pace
) -> None:
    path, log = _policy(tmp_path / "first")
    after, _ = _policy(tmp_path / "second")
    async with contextlib.AsyncExitStack() as stack:
        first = await stack.enter_async_context(_workers(path))
        callers = await stack.enter_async_context(_callers(first))

        async def stop() -> None:
            first.send(signal.SIGTERM)
            assert await first.ended() == 0
            await stack.enter_async_context(_workers(after, f"127.0.0.1:{first.port}"))

        phases = await trial(
            lambda number: callers[number % CALLERS].ask_at_the_end(number),
            pace=pace,
            fault=acts(stop),
        )
        lines = log.read_text().splitlines()
        decided = {line.split('"decision_id":"')[1][:36] for line in lines}
        lost = decided - {answered for caller in callers for answered in caller.answered}
    ledger.add(
        Row(
            fault="SIGTERM to a supervisor of two",
            done="stopped, another one started on its port",
            load=RAW,
            phases=phases,
            besides=f"of {len(decided)} decided before the end, {len(lost)} unanswered",
        )
    )
    assert lost == set()
