"""`pointsman train`: fine-tune the default reader on your own labelled requests."""

from __future__ import annotations

import argparse
import errno
import math
import os
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from pointsman_server.cli.options import lines_of, parser_of
from pointsman_server.core.errors import LinesInvalid, PointsmanError
from pointsman_server.engines.local.container import pack, unpack
from pointsman_server.engines.local.readers.default import MAGIC, content_of
from pointsman_server.engines.local.tuning import Table, parse, tune
from pointsman_server.lib.console import complain, in_words

_NAMES = {
    "lines": "held-out lines",
    "spearman": "rank correlation with the labels",
    "hard_from_easy": "hard ranked above easy (AUC)",
    "accuracy": "difficulty label right",
    "calibration_error": "calibration error",
    "domain_accuracy": "domain right",
}


def train(argv: Sequence[str]) -> int:
    """Write a fine-tuned artefact; 0: done, 2: nothing was written."""
    arguments = _parser().parse_args(argv)
    try:
        with lines_of(arguments.file) as lines:
            requests = parse(lines)
        _check_place(arguments.out, lines=arguments.file)
        start = unpack(content_of(arguments.artefact), magic=MAGIC)
        tuned = tune(start, requests, seed=arguments.seed)
        content = pack(tuned.container, magic=MAGIC)
        arguments.out.write_bytes(content)
    except LinesInvalid as error:
        return complain(["the labelled requests have problems:", *error.problems])
    except (PointsmanError, OSError) as error:
        return complain([in_words(error)])
    print("\n".join(table(tuned.before, tuned.after)))
    if tuned.again:
        print(f"{arguments.artefact} was fine-tuned before: if on these lines, it knew them")
    print(f"wrote {arguments.out}: {len(requests)} labelled requests, {len(content):,} bytes")
    print("to use it, set engines.local.artefact in the policy file to its path;")
    print("the server reads it at the start, and when the policy file changes")
    return 0


def _check_place(out: Path, *, lines: Path | None) -> None:
    """Find a place that must not be written before the work. Raises `OSError` that names it."""
    folder, problem, where = out.parent, 0, out
    if lines is not None and lines.exists() and out.exists() and out.samefile(lines):
        raise OSError(errno.EEXIST, "holds the labelled requests", str(out))
    if out.is_dir():
        problem = errno.EISDIR
    elif not folder.is_dir():
        problem, where = errno.ENOENT, folder
    elif not os.access(out if out.exists() else folder, os.W_OK):
        problem = errno.EACCES
    if problem:
        raise OSError(problem, os.strerror(problem), str(where))


def _seed(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise argparse.ArgumentTypeError("not a whole number from 0 on")
    return int(text)


def table(before: Table, after: Table) -> list[str]:
    """The lines of the table."""
    rows = [f"{'':34s}{'before':>8s}{'after':>8s}"]
    for field in fields(Table):
        old, new = getattr(before, field.name), getattr(after, field.name)
        rows.append(f"{_NAMES[field.name]:34s}{_shown(old)}{_shown(new)}")
    return rows


def _shown(figure: float) -> str:
    """A figure; a dash where there is nothing to measure it on."""
    if isinstance(figure, int):
        return f"{figure:8d}"
    return f"{'-':>8s}" if math.isnan(figure) else f"{figure:8.3f}"


def _parser() -> argparse.ArgumentParser:
    parser = parser_of(
        "train",
        description="Fine-tune the default reader's heads on labelled requests. In: JSON lines with"
        " `prompt`,\n`effort` (1-5) or `difficulty` (easy, medium, hard) and, optionally, `domain`."
        "\nA quarter of the lines is held out to compare the reader before and after. See"
        " docs/local-engine.md.",
        example="pointsman train labelled.jsonl --out reader.bin",
    )
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="default, and -: stdin")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="ARTEFACT", help="where the artefact goes"
    )
    parser.add_argument(
        "--artefact", type=Path, help="the artefact to start from; default: the built-in one"
    )
    parser.add_argument("--seed", type=_seed, default=0, help="order of the lines; default: 0")
    return parser
