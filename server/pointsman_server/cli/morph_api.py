"""`pointsman morph-api`: a Morph-compatible HTTP endpoint over the embedded engine."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from pointsman_server.bootstrap.morph_api import MorphApiSettings, serve_morph_api
from pointsman_server.cli.running import run_until_done
from pointsman_server.lib.console import open_standard_streams, tell
from pointsman_server.telemetry.service_log.formatters import configure_logging


def morph_api(argv: Sequence[str]) -> int:
    """Serve until SIGTERM. Returns the exit status."""
    open_standard_streams()
    parser = argparse.ArgumentParser(
        prog="pointsman morph-api",
        description="Serve POST /v1/router/multimodel and /v1/router/classify like Morph does,"
        " decided by the embedded engine. See docs/morph-api.md.",
    )
    parser.add_argument("--listen", metavar="HOST:PORT", default="127.0.0.1:8080")
    parser.add_argument("--policy-file", metavar="FILE", type=Path, help="default: built in")
    keys = parser.add_mutually_exclusive_group(required=True)
    keys.add_argument("--keys-file", metavar="FILE", type=Path, help="bearer keys, one a line")
    keys.add_argument("--key-env", metavar="NAME", help="environment variable with the bearer key")
    parser.add_argument(
        "--faults", action="store_true", help="for tests: let /testing/faults script failures"
    )
    parser.add_argument(
        "--plaintext-beyond-loopback", action="store_true", help="let other machines reach it"
    )
    settings = MorphApiSettings(**vars(parser.parse_args(argv)))
    configure_logging(level="info", fmt="auto")
    return run_until_done(serve_morph_api(settings, say=tell))
