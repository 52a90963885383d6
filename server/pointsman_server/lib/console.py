"""Output of commands: results on standard output, everything else on standard error."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from typing import Final, TextIO, cast

_log = logging.getLogger("pointsman_server.console")
USAGE: Final = 2
"""Exit status of a command that was called or configured wrongly."""


def say(line: str) -> None:
    """Print a line of a command's result."""
    print(line, flush=True)


def tell(line: str) -> None:
    """Print a line on standard error; standard output belongs to the decision log."""
    print(line, file=sys.stderr, flush=True)


def complain(lines: Sequence[str]) -> int:
    """Print each line as an error of the command. Returns the exit status `USAGE`."""
    for line in lines:
        tell(f"pointsman: {line}")
    return USAGE


def in_words(error: Exception) -> str:
    """Return an error's text; of a file that cannot be opened, its name and the reason."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"cannot open {error.filename}: {error.strerror or type(error).__name__}"
    return str(error)


class Console:
    """Output of a command that serves: plain lines, or lines of its log where that is JSON."""

    def __init__(self, *, as_log: bool) -> None:
        self.as_log = as_log
        # The start and its errors are shown whatever the level of the log is.
        _log.setLevel(logging.INFO)

    def tell(self, line: str) -> None:
        """Write a line for the operator."""
        if self.as_log:
            _log.info("%s", line)
        else:
            tell(line)

    def complain(self, lines: Sequence[str]) -> int:
        """Write what prevents the start. Returns the exit status `USAGE`."""
        if not self.as_log:
            return complain(lines)
        for line in lines:
            _log.error("%s", line)
        return USAGE


def discard_stdout() -> None:
    """Send the rest of standard output nowhere, after a write to it failed.

    The interpreter flushes it once more at its end, and would fail again.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def open_standard_streams() -> None:
    """Open the null device in place of standard streams that are closed (`>&-`).

    Otherwise the next file or socket takes the number, and output goes there.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            flags = os.O_RDONLY if number == 0 else os.O_WRONLY
            # The lowest free number, which is this one.
            os.set_inheritable(os.open(os.devnull, flags), True)  # noqa: FBT003
        # Python has no stream for a descriptor that was closed at its start.
        if cast("TextIO | None", getattr(sys, name)) is None:
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115
