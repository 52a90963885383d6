"""Programs of their own: started, waited for, stopped, killed, suspended."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

PATIENCE = 60.0
"""Seconds until something that was to happen counts as failed; it takes a fraction of that."""
_PAUSE = 0.02
_GRACE = 15.0
_QUOTED_LINES = 40


@dataclass
class Program:
    """One running program. Its output stands in `log`."""

    name: str
    child: subprocess.Popen[bytes]
    log: Path

    def tail(self) -> str:
        """The last lines that it said."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-_QUOTED_LINES:])

    def said(self, pattern: str, *, patience: float = PATIENCE) -> re.Match[str]:
        """Wait until its output matches."""
        found: list[re.Match[str]] = []

        def matches() -> bool:
            if match := re.search(pattern, self.log.read_text(errors="replace")):
                found.append(match)
            elif self.child.poll() is not None:
                raise AssertionError(f"{self.name} ended early:\n{self.tail()}")
            return bool(found)

        until(
            matches,
            what=lambda: f"{self.name} to say {pattern!r}; it said:\n{self.tail()}",
            patience=patience,
        )
        return found[0]

    def suspend(self) -> None:
        """It keeps its sockets and answers nothing, until `resume`."""
        self.child.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on after `suspend`."""
        self.child.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self.child.kill()
        self.child.wait(_GRACE)

    def stop(self) -> None:
        """End it gracefully; by force where it does not. Twice is fine."""
        if self.child.poll() is not None:
            return
        self.child.send_signal(signal.SIGCONT)
        self.child.terminate()
        try:
            self.child.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self.kill()


@contextlib.contextmanager
def program(
    command: Sequence[str | Path],
    *,
    name: str,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> Iterator[Program]:
    """Run `command` inside the block, with `environment` on top of this process's own.

    Its log is `<name>.log` of `folder`; `OTEL_*` and `POINTSMAN_*` of this process are not
    passed on, so that a test means the same on every machine.
    """
    log = _unused(folder, name)
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "POINTSMAN_"))}
    with log.open("wb") as output:
        running = Program(name, _start(command, output, inherited, environment, directory), log)
    try:
        yield running
    finally:
        running.stop()


def until(
    happened: Callable[[], object],
    *,
    what: str | Callable[[], str],
    patience: float = PATIENCE,
) -> None:
    """Wait until `happened()` is true; fail with `what` was expected."""
    end = time.monotonic() + patience
    while not happened():
        if time.monotonic() > end:
            raise AssertionError(f"waited in vain for {what() if callable(what) else what}")
        time.sleep(_PAUSE)


def _start(
    command: Sequence[str | Path],
    output: IO[bytes],
    inherited: Mapping[str, str],
    environment: Mapping[str, str] | None,
    directory: Path | None,
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env={**inherited, **(environment or {})},
        cwd=directory,
    )


def _unused(folder: Path, name: str) -> Path:
    taken = len(list(folder.glob(f"{name}*.log")))
    return folder / (f"{name}-{taken + 1}.log" if taken else f"{name}.log")
