"""The process itself ends under load: by a crash, by an orderly stop."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

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
from e2e.parts.pointsman import Service, pointsman_serve
from pointsman_server.lib.console import USAGE
from support.ports import free_port


@contextlib.asynccontextmanager
async def _ended(
    end: Callable[[], None], folder: Path, port: int, later: contextlib.ExitStack
) -> AsyncIterator[None]:
    """The server ends; another one starts on its port."""
    await asyncio.to_thread(end)
    next_one = pointsman_serve(folder, policy=policy(), port=port)
    await asyncio.to_thread(later.enter_context, next_one)
    yield


def _folder(tmp_path: Path, name: str) -> Path:
    folder = tmp_path / name
    folder.mkdir()
    return folder


def _logged(*services: Path) -> set[str]:
    """The ids of all decisions that the servers made, by their decision logs."""
    lines = [line for log in services for line in log.read_text().splitlines()]
    return {line.split('"decision_id":"')[1][:36] for line in lines}


async def test_an_orderly_stop_answers_every_call_that_was_accepted(
    tmp_path: Path, ledger: Ledger, pace: Pace
) -> None:
    port = free_port()
    with contextlib.ExitStack() as stack:
        served = pointsman_serve(_folder(tmp_path, "first"), policy=policy(), port=port)
        first: Service = await asyncio.to_thread(stack.enter_context, served)
        async with RawCaller(first.address, deadline=UNTIL_STARTED) as caller:
            fault = _ended(first.program.stop, _folder(tmp_path, "second"), port, stack)
            phases = await trial(caller.ask_at_the_end, pace=pace, fault=fault)
        # What the first server decided stands in its log, and all of it came back.
        decided = _logged(first.decision_log)
        lost = decided - set(caller.answered)
        ledger.add(
            Row(
                fault="SIGTERM in load",
                done="stopped, another one started on its port",
                load=RAW,
                phases=phases,
                besides=f"of {len(decided)} decided before the end, {len(lost)} unanswered",
            )
        )
        assert lost == set()
        assert first.program.child.returncode == 0


async def test_a_second_process_on_the_port_is_refused(
    tmp_path: Path, ledger: Ledger, pace: Pace
) -> None:
    with contextlib.ExitStack() as stack:
        served = pointsman_serve(tmp_path, policy=policy())
        first: Service = await asyncio.to_thread(stack.enter_context, served)
        ended: list[tuple[int | None, str]] = []

        async def second() -> None:
            command = [sys.executable, "-m", "pointsman_server", "serve"]
            flags = ["--listen", first.address, "--admin-listen", "", "--http-listen", ""]
            process = await asyncio.create_subprocess_exec(
                *command, *flags, "--metrics-listen", "", stderr=asyncio.subprocess.PIPE
            )
            _, said = await process.communicate()
            ended.append((process.returncode, said.decode()))

        async with RawCaller(first.address) as caller:
            phases = await trial(caller.ask, pace=pace, fault=acts(second))
    [(status, said)] = ended
    ledger.add(
        Row(
            fault="a second process on the port",
            done="started, and left to itself",
            load=RAW,
            phases=phases,
            besides=f"it ended with {status}: {said.strip().rpartition(': ')[2]}",
        )
    )
    assert status == USAGE
    assert "Address already in use" in said


async def test_a_crash_is_covered_by_the_client(tmp_path: Path, ledger: Ledger, pace: Pace) -> None:
    port = free_port()
    with contextlib.ExitStack() as stack:
        served = pointsman_serve(_folder(tmp_path, "first"), policy=policy(), port=port)
        first: Service = await asyncio.to_thread(stack.enter_context, served)
        async with RawCaller(first.address) as caller:
            judge = Judge(await local_model(caller.stub))
        client = ClientCaller(first.address, judge)
        async with client.client:
            fault = _ended(first.program.kill, _folder(tmp_path, "second"), port, stack)
            phases = await trial(client.ask, pace=pace, fault=fault)
        ledger.add(
            Row(
                fault="kill -9 in load",
                done="killed, another one started on its port",
                load=CLIENT,
                phases=phases,
                besides=f"{client.fallbacks} answered with the static pick",
            )
        )
