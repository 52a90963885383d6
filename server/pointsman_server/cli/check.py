"""`pointsman check`: whether a policy file would be put in force, and why not."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from pointsman_server.cli.options import add_set_option
from pointsman_server.lib.console import say
from pointsman_server.policies.check import check as check_policy
from pointsman_server.policies.schema import json_schema

_FAILED = 1


def check(argv: Sequence[str]) -> int:
    """Check a policy file; 0: it would be put in force, 1: it would not."""
    parser = argparse.ArgumentParser(prog="pointsman check", description="Check a policy file.")
    parser.add_argument("file", nargs="?", type=Path, help="default: the built-in one")
    parser.add_argument("--schema", action="store_true", help="print the JSON Schema instead")
    add_set_option(parser)
    arguments = parser.parse_args(argv)
    if arguments.schema:
        say(json.dumps(json_schema(), indent=2))
        return 0
    report = check_policy(arguments.file, assignments=arguments.assignments)
    for line in report.lines():
        say(line)
    return 0 if report.ok else _FAILED
