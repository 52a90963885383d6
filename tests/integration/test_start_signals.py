"""Signals between the start of a process and its event loop."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

STARTING = """
import asyncio, sys, time
import pointsman_server.{module} as entry

def starting(*_):
    {doing}

def sleep(*_):
    print("starting", flush=True)
    time.sleep(60)

async def working():
    asyncio.get_running_loop().call_soon(sleep)
    await asyncio.sleep(60)

class Finalised:
    def __del__(self):
        print("starting", flush=True)
        time.sleep(5)

async def serving():
    from pointsman_server.bootstrap.serve import serve
    from pointsman_server.settings import Settings
    await serve(Settings(), say=print)

entry.{step} = starting
sys.exit(entry.main({arguments}))
"""
COMMANDS = {
    "serve": {"module": "__main__", "step": "run", "arguments": ["serve"]},
    "another command": {"module": "__main__", "step": "run", "arguments": ["score"]},
    "the supervisor": {"module": "supervisor.__main__", "step": "plan_of", "arguments": ["plan"]},
}
FIRST_OF_A_CONTAINER = "import os; os.kill = lambda *_: None\n"
"""The kernel drops a signal that the first process of a container does not handle."""


@contextmanager
def started(
    command: str, *, before: str = "", doing: str = "sleep()"
) -> Iterator[subprocess.Popen[str]]:
    """A command that has not yet come to its event loop."""
    script = before + STARTING.format(doing=doing, **COMMANDS[command])
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "starting\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_stop_during_the_start_ends_it(command: str) -> None:
    with started(command) as process:
        process.terminate()
        _, said = process.communicate(timeout=60)
        assert process.returncode == -signal.SIGTERM
        assert not said


@pytest.mark.parametrize("command", COMMANDS)
def test_it_ends_the_first_process_of_a_container_too(command: str) -> None:
    with started(command, before=FIRST_OF_A_CONTAINER) as process:
        process.terminate()
        _, said = process.communicate(timeout=60)
        assert process.returncode == 128 + signal.SIGTERM
        assert not said


def test_a_stop_in_a_callback_of_an_event_loop_ends_it() -> None:
    with started("another command", doing="asyncio.run(working())") as process:
        process.terminate()
        _, said = process.communicate(timeout=60)
        assert process.returncode == -signal.SIGTERM
        assert not said


def test_a_stop_that_a_finaliser_swallows_ends_it_at_the_event_loop() -> None:
    with started("serve", doing="Finalised() and None; asyncio.run(serving())") as process:
        process.terminate()
        out, _ = process.communicate(timeout=60)
        assert process.returncode == -signal.SIGTERM
        assert not out


@pytest.mark.parametrize("command", ["serve", "the supervisor"])
def test_a_reload_during_the_start_ends_nothing(command: str) -> None:
    with started(command) as process:
        process.send_signal(signal.SIGHUP)
        process.terminate()
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGTERM
