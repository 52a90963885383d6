"""`pointsman test`: run the tests of a policy file, for people and for CI."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from pointsman_server.bootstrap.policy_tests import TestResult, policy_under_test, run_test
from pointsman_server.cli.options import add_set_option, parser_of
from pointsman_server.core.errors import PolicyInvalid
from pointsman_server.lib.console import complain, say
from pointsman_server.policies.check import rendered
from pointsman_server.policies.test_file import TestFile, read_tests

_FAILED = 1
_EXAMPLE = """\
  tests:
    - name: an easy prompt leaves the strongest model
      tier: kilo-auto/frontier
      static_pick: anthropic/claude-opus-4.8
      prompt: What is the capital of Portugal?
      expect: {outcome: routed, not_model: anthropic/claude-opus-4.8}"""


def policy_test(argv: Sequence[str]) -> int:
    """Run the tests; 0: all pass, 1: some fail, 2: a file cannot be used."""
    parser = parser_of(
        "test",
        description="Decide for the requests of a test file under a policy file, and compare. The"
        " embedded engine\ndecides; nothing leaves the process. Exit status: 0 all pass, 1 some"
        " fail, 2 unusable files.",
        example=f"pointsman test policy.yaml\n\nwith this in policy.tests.yaml:\n{_EXAMPLE}",
    )
    parser.add_argument("file", nargs="?", type=Path, help="the policy file; default: built in")
    parser.add_argument(
        "--tests",
        type=Path,
        metavar="FILE",
        help="default: beside the policy file, NAME.tests.yaml",
    )
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    add_set_option(parser)
    arguments = parser.parse_args(argv)
    tests: Path | None = arguments.tests or _beside(arguments.file)
    if tests is None:
        return complain(["--tests is needed without a policy file"])
    if arguments.tests is None and not tests.exists():
        return complain([_no_tests(tests)])
    try:
        results = asyncio.run(_run(arguments.file, read_tests(tests), arguments.assignments))
    except PolicyInvalid as error:
        return complain(rendered(error.problems))
    if arguments.json:
        say(json.dumps([asdict(each) for each in results], indent=2))
    else:
        _show(results)
    return _FAILED if any(each.failures for each in results) else 0


def _no_tests(tests: Path) -> str:
    return (
        f"no tests: {tests}: write it as in `pointsman test --help`, or name another with --tests"
    )


def _beside(policy: Path | None) -> Path | None:
    return None if policy is None else policy.with_suffix(".tests.yaml")


async def _run(policy: Path | None, tests: TestFile, assignments: list[str]) -> list[TestResult]:
    async with policy_under_test(policy, assignments=assignments) as runtime:
        return [await run_test(runtime, test) for test in tests.tests]


def _show(results: Sequence[TestResult]) -> None:
    for result in results:
        say(f"{'FAIL' if result.failures else 'ok  '}  {result.name}")
        for failure in result.failures:
            say(f"      {failure}")
    failed = sum(bool(each.failures) for each in results)
    say(f"{len(results) - failed} passed, {failed} failed")
