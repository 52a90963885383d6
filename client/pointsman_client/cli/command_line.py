"""Mistyped options and a mistyped address variable: what was probably meant."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping
from difflib import get_close_matches
from typing import NoReturn

ADDRESS_VARIABLE = "POINTSMAN_ADDRESS"
_PREFIX, _ADDRESS = "POINTSMAN_", "ADDRESS"
_CLOSE = 0.7
"""From this similarity on (difflib's, 0 to 1) a name is taken for a misspelt one."""
_OPTION = re.compile(r"(?<!\S)--\w[\w-]*")


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
    near = [each for name in _OPTION.findall(message) for each in get_close_matches(name, known, 1)]
    return f"; did you mean {' '.join(dict.fromkeys(near))}?" if near else ""


def warn_of_misspelt_address(environment: Mapping[str, str], *, command: str) -> None:
    """Say on standard error that a variable which looks like the address's is not read."""
    if environment.get(ADDRESS_VARIABLE):
        return
    for name in sorted(environment):
        upper = name.upper()
        if not upper.startswith(_PREFIX):
            continue
        rest = upper.removeprefix(_PREFIX)
        if _ADDRESS in rest.split("_") or get_close_matches(rest, [_ADDRESS], 1, _CLOSE):
            sys.stderr.write(
                f"pointsman {command}: warning: {name} is not read: did you mean"
                f" {ADDRESS_VARIABLE}?\n"
            )
