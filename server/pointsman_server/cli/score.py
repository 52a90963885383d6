"""`pointsman score`: many prompts through the embedded engine, JSON lines in and out."""

from __future__ import annotations

import argparse
import json
import os
import stat
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Final, TextIO

from pointsman_server.cli.options import lines_of, parser_of
from pointsman_server.core.errors import PointsmanError, PolicyInvalid
from pointsman_server.core.model import PROMPT_CODE_POINTS
from pointsman_server.core.policy_file import PolicyFile, ReaderKind
from pointsman_server.engines.local import LocalEngine
from pointsman_server.engines.local.scoring import Scorer
from pointsman_server.lib.console import complain, discard_stdout, in_words, tell
from pointsman_server.policies.check import rendered
from pointsman_server.policies.config import PolicyConfig

_BAD_LINES: Final = 1
_WIDTH: Final = 30
_EVERY: Final = 0.1
"""Seconds between two looks of the progress bar."""


def score(argv: Sequence[str]) -> int:
    """Score every line; 0: all of them, 1: some had an error, 2: nothing could be scored."""
    arguments = _parser().parse_args(argv)
    with ExitStack() as opened:
        try:
            policy_file = PolicyConfig(arguments.policy_file).load().policy_file
            scorer = _scorer(arguments, policy_file)
            lines = opened.enter_context(lines_of(arguments.file))
        except PolicyInvalid as error:
            return complain(["the policy file has problems:", *rendered(error.problems)])
        except (PointsmanError, OSError, ValueError) as error:
            return complain([in_words(error)])
        return _run(scorer, lines)


def _parser() -> argparse.ArgumentParser:
    parser = parser_of(
        "score",
        description="Score prompts with the embedded engine. In: JSON lines with `prompt` and,"
        " optionally, `id`,\n`candidates`, `policy`. Out: a line for each, with all heads, every"
        " candidate's score and the pick,\nor with an `error`. See docs/local-engine.md.",
        example='echo \'{"id": 1, "prompt": "What is 17 * 23?"}\' | pointsman score\n\n'
        "Exit status 1 says that some line had an error.",
    )
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="default, and -: stdin")
    parser.add_argument("--policy-file", metavar="FILE", type=Path, help="default: built in")
    parser.add_argument("--policy", default="balanced", help="for lines that name none")
    parser.add_argument(
        "--candidates",
        metavar="MODEL,MODEL",
        help="for lines that name none; default: all of the policy file's catalog",
    )
    parser.add_argument(
        "--reader",
        choices=[kind.value for kind in ReaderKind],
        help="what sizes the requests; default: as the policy file says",
    )
    parser.add_argument(
        "--as-served",
        action="store_true",
        help=f"cut prompts to the {PROMPT_CODE_POINTS} characters that the service sees",
    )
    return parser


def _scorer(arguments: argparse.Namespace, policy_file: PolicyFile) -> Scorer:
    """Build the scorer. Raises `ValueError` for an option that cannot be meant."""
    known = policy_file.local.quality_loss
    if arguments.policy not in known:
        raise ValueError(f"--policy: one of {', '.join(sorted(known))}")
    named = tuple(policy_file.catalog)
    if arguments.candidates is not None:
        named = tuple(name.strip() for name in arguments.candidates.split(","))
        if "" in named or len(set(named)) < len(named):
            raise ValueError("--candidates: different model ids with commas between them")
    for name in named:
        if name not in policy_file.catalog:
            tell(f"pointsman: {name} is not in the catalog")
    rules = policy_file.local
    if arguments.reader is not None:
        rules = replace(rules, reader=ReaderKind(arguments.reader))
    return Scorer(
        engine=LocalEngine.load(rules),
        catalog=policy_file.catalog,
        policy=arguments.policy,
        candidates=named,
        code_points=PROMPT_CODE_POINTS if arguments.as_served else None,
    )


def _run(scorer: Scorer, lines: BinaryIO) -> int:
    bad = 0
    try:
        for answer in scorer.score(watched(lines, total=_size(lines), to=sys.stderr)):
            bad += "error" in answer
            # Each at once: a program at the other end of two pipes may wait for it.
            print(json.dumps(answer, separators=(",", ":")), flush=True)
    except BrokenPipeError:
        # The reader has closed the pipe; without this, the interpreter fails again at exit.
        discard_stdout()
        return _BAD_LINES
    if bad:
        tell(f"pointsman: {bad} {'line' if bad == 1 else 'lines'} had an error")
    return _BAD_LINES if bad else 0


def watched(lines: Iterable[bytes], *, total: int | None, to: TextIO) -> Iterator[bytes]:
    """The lines, with a progress bar on `to` where that is a terminal. `total` is in bytes."""
    if not to.isatty():
        yield from lines
        return
    count, read, start, shown = 0, 0, time.monotonic(), 0.0
    for line in lines:
        yield line
        count, read, now = count + 1, read + len(line), time.monotonic()
        if now - shown >= _EVERY or read == total:
            done = "#" * (_WIDTH * read // total) if total else ""
            bar = f"[{done:<{_WIDTH}}] {100 * read // total:3d} % " if total else ""
            to.write(f"\r{bar}{count} lines, {count / max(now - start, 1e-9):.0f}/s ")
            to.flush()
            shown = now
    to.write("\n")


def _size(lines: BinaryIO) -> int | None:
    """Return the bytes left to read; `None` if nobody knows, as for a pipe."""
    found = os.fstat(lines.fileno())
    return found.st_size if stat.S_ISREG(found.st_mode) else None
