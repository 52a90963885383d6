"""The supervisor, over workers that are a few lines each."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pointsman_server.supervisor.supervisor import FAILED_STARTS, Supervisor
from pointsman_server.supervisor.worker_process import Pauses
from support.eventually import eventually

WORKER = str(Path(__file__).parents[2] / "support" / "fake_worker.py")
AT_ONCE = Pauses(shortest=0.01, longest=0.02)


class Crew:
    """A supervisor at work, and what its workers noted."""

    def __init__(self, folder: Path, *manners: str, workers: int = 2, stop_within: float = 30.0):
        self.folder = folder
        self.said: list[str] = []
        self.supervisor = Supervisor(
            workers=workers,
            port=4711,
            command=(sys.executable, WORKER, str(folder), *manners),
            stop_within=stop_within,
            pauses=AT_ONCE,
        )
        self.run = asyncio.create_task(self.supervisor.run(say=self.said.append))

    def noted(self, event: str, worker: int | str = "*") -> list[Path]:
        return list(self.folder.glob(f"{worker}.{event}.*"))

    async def started(self) -> None:
        await eventually(lambda: self.said or self.run.done())

    async def stop(self) -> int:
        self.supervisor.stop()
        return await self.run


@pytest.fixture
async def crew(tmp_path: Path):
    crews: list[Crew] = []

    def start(*manners: str, **how: Any) -> Crew:
        crews.append(Crew(tmp_path, *manners, **how))
        return crews[-1]

    yield start
    for each in crews:
        if not each.run.done():
            await each.stop()


def pid(note: Path) -> int:
    return int(note.suffix[1:])


async def test_one_line_tells_of_the_start_when_all_serve(crew):
    three = crew("serves", workers=3)
    await three.started()
    assert three.said == ["port 4711 | workers 3"]
    assert len(three.noted("started")) == 3
    assert await three.stop() == 0
    assert len(three.noted("started")) == 3


async def test_all_workers_hash_with_one_key_and_every_service_with_another(crew, tmp_path):
    keys = set()
    for _ in range(2):
        one = crew("serves")
        await one.started()
        found = {note.read_text() for note in one.noted("started")}
        assert len(found) == 1
        keys |= found
        await one.stop()
        for note in tmp_path.iterdir():
            note.unlink()
    assert len(keys) == 2


async def test_a_dead_worker_is_replaced_and_the_others_are_left_alone(crew):
    both = crew("serves")
    await both.started()
    [first], [other] = both.noted("started", 0), both.noted("started", 1)
    os.kill(pid(first), signal.SIGKILL)
    await eventually(lambda: len(both.noted("started", 0)) == 2)
    assert both.noted("started", 1) == [other]
    assert not both.run.done()
    assert await both.stop() == 0


async def test_what_keeps_the_first_worker_from_starting_is_met_once(crew):
    failing = crew("fails", workers=4)
    assert await failing.run == 7
    assert len(failing.noted("started")) == 1
    assert failing.said == []


async def test_a_system_that_gives_no_process_is_a_failed_start(crew):
    failing = crew("serves")
    for post in failing.supervisor.posts:
        post._command = (str(failing.folder / "no-such-program"),)
    assert await failing.run == 1
    assert failing.said == []


async def test_a_start_succeeds_as_a_whole_or_fails(crew):
    failing = crew("fails-1", workers=2)
    assert await failing.run == 7
    assert len(failing.noted("started", 0)) == len(failing.noted("started", 1)) == 1
    assert failing.said == []


async def test_a_worker_that_dies_is_started_again_however_often_while_another_serves(crew):
    half = crew("dies-1")
    await half.started()
    await eventually(lambda: len(half.noted("started", 1)) > 2 * FAILED_STARTS)
    assert not half.run.done()
    assert len(half.noted("started", 0)) == 1


async def test_when_none_serves_and_none_starts_the_supervisor_gives_up(crew, tmp_path):
    both = crew("serves", workers=2)
    await both.started()
    # From here on workers fail as they start.
    for post in both.supervisor.posts:
        post._command = (*post._command, "fails")
    for note in both.noted("started"):
        os.kill(pid(note), signal.SIGKILL)
    assert await both.run == 7
    assert len(both.noted("started")) <= 2 + FAILED_STARTS + 1


async def test_a_reload_reaches_every_worker(crew):
    both = crew("serves")
    await both.started()
    both.supervisor.reload()
    await eventually(lambda: both.noted("hup", 0) and both.noted("hup", 1))
    assert not both.run.done()


async def test_a_worker_that_does_not_stop_is_killed_in_the_end(crew):
    stubborn = crew("stubborn-1", stop_within=0.2)
    await stubborn.started()
    assert await stubborn.stop() == 1
    [note] = stubborn.noted("term", 1)
    with pytest.raises(ProcessLookupError):
        os.kill(pid(note), 0)


async def test_a_stop_during_the_start_ends_what_has_started(crew):
    early = crew("serves", workers=3)
    await eventually(lambda: early.noted("started", 0))
    early.supervisor.stop()
    assert await early.run == 0
    assert early.said == []


async def test_workers_see_the_end_of_a_supervisor_that_was_killed(tmp_path: Path):
    script = """if True:
        import asyncio, sys
        from pointsman_server.supervisor.supervisor import Supervisor
        async def run():
            supervisor = Supervisor(workers=2, port=1, command=sys.argv[1:], stop_within=1)
            await supervisor.run(say=lambda line: print(line, flush=True))
        asyncio.run(run())
    """
    worker = (sys.executable, WORKER, str(tmp_path), "serves")
    supervisor = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, *worker, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert supervisor.stdout is not None
        await supervisor.stdout.readline()
    finally:
        supervisor.kill()
        await supervisor.communicate()
    await eventually(lambda: len(list(tmp_path.glob("*.orphaned.*"))) == 2)


def test_the_supervisor_is_light():
    heavy = ("grpc", "pydantic", "httpx", "numpy", "opentelemetry", "aiocache", "yaml")
    loaded = subprocess.run(
        (
            sys.executable,
            "-c",
            "import sys, pointsman_server.supervisor.__main__; print(*sys.modules)",
        ),
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(heavy).isdisjoint(loaded.stdout.split())
    assert "pointsman_server.supervisor.supervisor" in loaded.stdout.split()
