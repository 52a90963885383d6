"""`pointsman init`: write a commented policy file to start from."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from pointsman_server.cli.options import parser_of
from pointsman_server.lib.console import complain, say


def init(argv: Sequence[str]) -> int:
    """Write the built-in policy file to a new file; 0: written, 2: it was not."""
    parser = parser_of(
        "init",
        description="Write a commented policy file to start from: the built-in one.",
        example="pointsman init policy.yaml && pointsman check policy.yaml",
    )
    parser.add_argument(
        "file", nargs="?", type=Path, default=Path("policy.yaml"), help="default: policy.yaml"
    )
    parser.add_argument("--force", action="store_true", help="replace a file that exists")
    arguments = parser.parse_args(argv)
    text = (files("pointsman_server.policies") / "default.yaml").read_bytes()
    try:
        with _opened(arguments) as file:
            file.write(text)
    except FileExistsError:
        return complain([f"{arguments.file} exists: --force replaces it"])
    except OSError as error:
        return complain([f"cannot write {arguments.file}: {error.strerror or error}"])
    say(f"{arguments.file} is written. Next:")
    say(f"  pointsman check {arguments.file}")
    say(f"  pointsman serve --policy-file {arguments.file}")
    return 0


def _opened(arguments: argparse.Namespace):  # type: ignore[no-untyped-def]  # noqa: ANN202
    path: Path = arguments.file
    return path.open("wb" if arguments.force else "xb")
