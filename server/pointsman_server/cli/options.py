"""Options that several commands take."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import errno
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NoReturn, TextIO, cast

from pointsman_server.lib.console import tell


class CommandParser(argparse.ArgumentParser):
    """A parser whose error for an unknown option names the option that it resembles."""

    def error(self, message: str) -> NoReturn:
        """End the process with the status of bad usage."""
        super().error(message + meant(message, usage=self.format_usage()))


def meant(message: str, *, usage: str) -> str:
    """Return what to append to argparse's `message` about unknown arguments; perhaps nothing."""
    if not message.startswith("unrecognized arguments"):
        return ""
    known = re.findall(r"--\w[\w-]*", usage)
    given = re.findall(r"(?<!\S)--\w[\w-]*", message)
    near = [each for name in given for each in difflib.get_close_matches(name, known, 1)]
    return f"; did you mean {' '.join(dict.fromkeys(near))}?" if near else ""


def parser_of(command: str, *, description: str, example: str) -> argparse.ArgumentParser:
    """A parser whose help ends with an example."""
    return CommandParser(
        prog=f"pointsman {command}",
        description=description,
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


@contextlib.contextmanager
def lines_of(file: Path | None) -> Iterator[BinaryIO]:
    """Open a file of lines; standard input without one and for `-`. Raises `OSError`."""
    if file is not None and str(file) != "-":
        with file.open("rb") as lines:
            yield lines
        return
    # Python has no stream for a descriptor that is closed.
    stdin = cast("TextIO | None", sys.stdin)
    if stdin is None:
        raise OSError(errno.EBADF, "it is closed", "standard input")
    if stdin.isatty():
        tell("pointsman: reads JSON lines from the terminal; Ctrl-D ends them")
    yield stdin.buffer


def add_set_option(parser: argparse.ArgumentParser) -> None:
    """Add `--set PATH=VALUE`, which overrides the policy file."""
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="assignments",
        metavar="PATH=VALUE",
        help="set a value over the policy file, e.g. llm.routes.plan_create=reasoning; the value"
        " is YAML; may be repeated",
    )
