"""Options that several commands take."""

from __future__ import annotations

import argparse


def parser_of(command: str, *, description: str, example: str) -> argparse.ArgumentParser:
    """A parser whose help ends with an example."""
    return argparse.ArgumentParser(
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
