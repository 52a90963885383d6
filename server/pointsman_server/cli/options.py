"""Options that several commands take."""

from __future__ import annotations

import argparse
import difflib
import re
from typing import NoReturn


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
