"""`pointsman morph-api` and `pointsman decision-api`: the embedded engine behind HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pointsman_server.bootstrap.http_endpoints import (
    DECISION_API,
    MORPH_API,
    Endpoint,
    EndpointSettings,
    serve_endpoint,
)
from pointsman_server.cli.options import parser_of
from pointsman_server.cli.running import run_until_done
from pointsman_server.lib.console import Console, open_standard_streams
from pointsman_server.telemetry.service_log.formatters import configure_logging


def morph_api(argv: Sequence[str]) -> int:
    """Serve a Morph-compatible endpoint until SIGTERM. Returns the exit status."""
    return _serve(
        MORPH_API,
        argv,
        port=8080,
        description="Serve POST /v1/router/... like Morph does, decided by the embedded engine."
        " See docs/morph-api.md.",
    )


def decision_api(argv: Sequence[str]) -> int:
    """Serve a scripted decision model until SIGTERM. Returns the exit status."""
    return _serve(
        DECISION_API,
        argv,
        port=8081,
        description="Serve POST /v1/systemone and /v1/decisions like a decision model, answered by"
        " the embedded\nengine's reader: for demos and tests. See docs/decision-api.md.",
    )


def _serve(endpoint: Endpoint, argv: Sequence[str], *, port: int, description: str) -> int:
    open_standard_streams()
    command = endpoint.command
    parser = parser_of(
        command, description=description, example=f"KEY=secret pointsman {command} --key-env KEY"
    )
    parser.add_argument(
        "--listen", metavar="HOST:PORT", default=f"127.0.0.1:{port}", help="default %(default)s"
    )
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
    settings = EndpointSettings(**vars(parser.parse_args(argv)))
    configure_logging(level="info", fmt="auto")
    console = Console(as_log=False)
    return run_until_done(serve_endpoint(endpoint, settings, say=console.tell), console=console)
