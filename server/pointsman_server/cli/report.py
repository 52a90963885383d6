"""`pointsman report`: cost and savings of serving, from the decision log."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, TextIO, cast

from pointsman_server.cli.options import parser_of
from pointsman_server.core.errors import PolicyInvalid
from pointsman_server.core.policy_file import PolicyFile
from pointsman_server.lib.console import complain, discard_stdout, in_words
from pointsman_server.policies.check import rendered as problems_of
from pointsman_server.policies.config import PolicyConfig
from pointsman_server.report.account import Account
from pointsman_server.report.as_json import as_json
from pointsman_server.report.estimate import report as estimated
from pointsman_server.report.prices import Assumptions, Prices
from pointsman_server.report.text import rendered

_STDIN: Final = "-"
_THOUSAND: Final = 1_000
_MOST: Final = 1e9
"""Tokens of a request, dollars per thousand calls: more is a mistake."""


def report(argv: Sequence[str]) -> int:
    """Print the report; 2: there is no decision, it cannot be printed or the question is wrong."""
    _print_anything()
    parser = _parser()
    arguments = parser.parse_args(argv)
    names: list[str] = arguments.files or [_STDIN]
    # Python has no stream for a descriptor that is closed.
    stdin = cast("TextIO | None", sys.stdin)
    if stdin is None and _STDIN in names:
        parser.error("standard input is closed: name a file of the decision log")
    if not arguments.files and sys.stdin.isatty():
        parser.error("name a file of the decision log, or - for standard input")
    try:
        policy = PolicyConfig(arguments.policy_file).load().policy_file
    except PolicyInvalid as error:
        return complain(["the policy file has problems:", *problems_of(error.problems)])
    assumed = _assumed(arguments, policy)
    account = Account(Prices(policy.catalog, assumed=assumed))
    try:
        with ExitStack() as opened:
            # All are opened before the first is read: a log that rotates meanwhile stays whole.
            streams = [_opened(name, opened) for name in names]
            if (twice := _twice(names, streams)) is not None:
                return complain([twice])
            for name, stream in zip(names, streams, strict=True):
                account.read("standard input" if name == _STDIN else name, stream)
    except OSError as error:
        return complain([in_words(error)])
    if not account.decisions:
        return complain([_nothing(account, names)])
    figures = estimated(
        account,
        assumed=assumed,
        prices_of=policy.version,
        built_in=arguments.policy_file is None,
    )
    return _printed(as_json(figures) if arguments.json else rendered(figures))


def _assumed(arguments: argparse.Namespace, policy: PolicyFile) -> Assumptions:
    """Take prices of engines from the command line, else from the policy file."""
    router, model = arguments.router_price, arguments.decision_model_price
    if router is None:
        router = policy.morph.price_per_call * _THOUSAND
    if model is None and policy.decision_models:
        called = policy.decision_models.values()
        model = max(rules.price_per_call for rules in called) * _THOUSAND
    return Assumptions(
        output_tokens=arguments.output_tokens,
        input_tokens=arguments.input_tokens,
        router_price=router,
        decision_model_price=model,
    )


def _print_anything() -> None:
    """Names of files and models may have characters that a terminal's encoding has not."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _printed(text: str) -> int:
    try:
        print(text, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        # A full disk, for one; the interpreter must not flush once more.
        discard_stdout()
        return complain([f"the report cannot be printed: {error.strerror}"])
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = parser_of(
        "report",
        description="Report from the decision log how often and for which models decisions differ"
        " from the static\npicks, and what serving them would cost. See docs/report.md.",
        example="pointsman report decisions.jsonl\n\n"
        "The report says nothing about the quality of answers.",
    )
    parser.add_argument(
        "files", nargs="*", metavar="FILE", help="decision logs, gzip or not; -: standard input"
    )
    parser.add_argument(
        "--policy-file", metavar="FILE", type=Path, help="has the prices; default: built in"
    )
    parser.add_argument(
        "--input-tokens",
        metavar="N",
        type=_amount,
        help="of a request; default: of each by its size, four bytes a token; 2000 where it is"
        " not known",
    )
    parser.add_argument(
        "--output-tokens", metavar="N", type=_amount, default=500.0, help="default 500"
    )
    parser.add_argument(
        "--router-price",
        metavar="DOLLARS",
        type=_amount,
        help="of a thousand calls of engine morph; default: by the policy file, 5",
    )
    parser.add_argument(
        "--decision-model-price",
        metavar="DOLLARS",
        type=_amount,
        help="of a thousand calls of a decision model; default: the highest of the policy file",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    return parser


def _amount(text: str) -> float:
    value = float(text)
    if not 0 <= value <= _MOST:
        raise argparse.ArgumentTypeError(f"not a number from 0 to {_MOST:,.0f}")
    return value


_amount.__name__ = "number"  # argparse: "invalid number value"


def _opened(name: str, opened: ExitStack) -> io.BufferedReader:
    if name == _STDIN:
        return cast("io.BufferedReader", sys.stdin.buffer)
    return opened.enter_context(Path(name).open("rb"))


def _twice(names: Sequence[str], streams: Sequence[io.BufferedReader]) -> str | None:
    """The error if one file was named twice."""
    seen: dict[tuple[int, int], str] = {}
    for name, stream in zip(names, streams, strict=True):
        found = os.fstat(stream.fileno())
        place = found.st_dev, found.st_ino
        if place in seen:
            return f"{name} is the same file as {seen[place]}: it would count twice"
        seen[place] = name
    return None


def _nothing(account: Account, names: Sequence[str]) -> str:
    where = "standard input" if names == [_STDIN] else ", ".join(names)
    if not account.lines:
        return f"no line in {where}"
    told = f"no decisions in {where}: is this the decision log?"
    if (bad := account.first_unreadable) is not None:
        told += (
            f" {account.unreadable:,} of {account.lines:,} lines cannot be read;"
            f" the first, line {bad.line} of {bad.file}: {bad.why}"
        )
    return told
