"""`pointsman check`: whether a policy file would be put in force, and why not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pointsman_server.cli.options import add_set_option, parser_of
from pointsman_server.core.errors import ArtefactInvalid, Problem
from pointsman_server.core.policy_file import PolicyFile, ReaderKind
from pointsman_server.lib.console import say
from pointsman_server.policies.check import CheckReport
from pointsman_server.policies.check import check as check_policy
from pointsman_server.policies.schema import json_schema

_FAILED = 1


def check(argv: Sequence[str]) -> int:
    """Check a policy file; 0: it would be put in force, 1: it would not."""
    parser = parser_of(
        "check",
        description="Check a policy file: every error and warning, each with its path.",
        example="pointsman check policy.yaml --set mode=serve",
    )
    parser.add_argument("file", nargs="?", type=Path, help="default: the built-in one")
    parser.add_argument("--schema", action="store_true", help="print the JSON Schema instead")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    add_set_option(parser)
    arguments = parser.parse_args(argv)
    if arguments.schema:
        say(json.dumps(json_schema(), indent=2))
        return 0
    report = check_policy(arguments.file, assignments=arguments.assignments, trial=_reader_problems)
    if arguments.json:
        say(json.dumps(_as_json(report), indent=2))
    else:
        for line in report.lines():
            say(line)
        if arguments.file is None and report.ok:
            say("checked the built-in policy file: name another with `pointsman check FILE`")
    return 0 if report.ok else _FAILED


def _reader_problems(policy: PolicyFile) -> tuple[Problem, ...]:
    """Load the files that the embedded engine would load, besides those in the wheel."""
    rules = policy.local
    if rules.artefact is None and rules.reader is ReaderKind.DEFAULT:
        return ()
    # Imported here: numpy takes longer than everything else in this command.
    from pointsman_server.engines.local.readers.loading import load_reader  # noqa: PLC0415

    try:
        load_reader(rules)
    except ArtefactInvalid as error:
        return (Problem(error.key or "engines.local", error.why),)
    return ()


def _as_json(report: CheckReport) -> dict[str, Any]:
    def listed(problems: Sequence[Problem]) -> list[dict[str, str]]:
        return [{"path": each.path, "message": each.message} for each in problems]

    return {
        "ok": report.ok,
        "errors": listed(report.problems),
        "warnings": listed(report.warnings),
        "summary": report.summary,
    }
