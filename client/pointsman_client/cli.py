"""`pointsman decide`: ask a running service about one prompt, and print the answer and its why."""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict

from pointsman_client.channel import Tls
from pointsman_client.client import RoutingClient
from pointsman_client.errors import Denied, InvalidRequest, NotFound, RoutingError, Unsupported
from pointsman_client.results import RouteResult
from pointsman_client.table import render
from pointsman_client.tokens import TokenFile

ADDRESS_VARIABLE = "POINTSMAN_ADDRESS"
DEFAULT_ADDRESS = "127.0.0.1:50051"

ANSWERED = 0
UNREACHABLE = 1
BAD_USAGE = 2
REFUSED = 3

_REFUSALS = (InvalidRequest, Denied, NotFound, Unsupported)


def decide(argv: Sequence[str]) -> int:
    """Run the command; returns 0 answered, 1 no answer, 2 bad usage, 3 refused."""
    parser = _parser()
    try:
        arguments = parser.parse_args(argv)
    except SystemExit as left:  # argparse leaves after --help and after bad usage
        return left.code if isinstance(left.code, int) else BAD_USAGE
    try:
        token = TokenFile(arguments.token_file)() if arguments.token_file else None
        tls = tls_of(arguments)
        prompt = sys.stdin.read() if arguments.prompt == "-" else arguments.prompt
    except (OSError, UnicodeDecodeError) as error:
        return complain(f"cannot read: {error}", status=BAD_USAGE, command="decide")
    except ValueError as error:
        return complain(str(error), status=BAD_USAGE, command="decide")
    try:
        result = asyncio.run(_ask(prompt, arguments=arguments, token=token, tls=tls))
    except RoutingError as error:
        return explain(error, arguments=arguments, command="decide")
    if arguments.json:
        _print(json.dumps(asdict(result), indent=2))
    else:
        _print(render(result, static_pick=arguments.static_pick), end="")
    return ANSWERED


async def _ask(
    prompt: str, *, arguments: argparse.Namespace, token: str | None, tls: Tls | bool
) -> RouteResult:
    async with RoutingClient(arguments.address, token=token, tls=tls) as client:
        return await client.route(
            prompt,
            timeout=arguments.timeout,
            user_id=arguments.user,
            session_id=arguments.session,
            tier=arguments.tier,
            candidates=arguments.candidate,
            static_pick=arguments.static_pick,
            classify=arguments.classify,
            dry_run=arguments.dry_run,
        )


def explain(error: RoutingError, *, arguments: argparse.Namespace, command: str) -> int:
    """Print the error: every bad field on a separate line, with a hint."""
    status = REFUSED if isinstance(error, _REFUSALS) else UNREACHABLE
    if arguments.json:
        fields = [asdict(each) for each in error.violations]
        facts = {"status": error.status, "reason": error.reason, "violations": fields}
        _print(json.dumps({"error": str(error), "kind": error.fallback, **facts}, indent=2))
    if error.violations:
        complain("the request was refused:", status=status, command=command)
        for each in error.violations:
            sys.stderr.write(f"  {each.field}: {each.description}\n")
        return status
    hint = f" (at {arguments.address}; start one with: pointsman serve)"
    text = f"{error}{hint if status == UNREACHABLE else ''}"
    return complain(text, status=status, command=command)


def complain(message: str, *, status: int, command: str) -> int:
    """Print an error; returns the exit status."""
    sys.stderr.write(f"pointsman {command}: {message}\n")
    return status


def _print(text: str, *, end: str = "\n") -> None:
    sys.stdout.write(text + end)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pointsman decide",
        description="Ask a running service which model should serve a prompt, and why.",
        epilog="Exit status: 0 answered, 1 no answer from the service, 2 bad usage, 3 refused.",
    )
    add = parser.add_argument
    add("prompt", help="the prompt; - reads it from standard input")
    add("--tier", required=True, help="the tier that the user selected, e.g. kilo-auto/frontier")
    add(
        "--candidate",
        action="append",
        default=[],
        metavar="MODEL",
        help="a model that may serve, best first; repeat it. Without any, those of the tier",
    )
    add("--static-pick", metavar="MODEL", help="the model that your own rules would take")
    add("--session", help="the conversation; decisions are cached for it")
    add("--user", default="pointsman-decide", help="the user (default: %(default)s)")
    add("--classify", action="store_true", help="also classify the prompt")
    add("--dry-run", action="store_true", help="decide and explain, but keep and record nothing")
    add_connection(parser)
    return parser


def add_connection(parser: argparse.ArgumentParser) -> None:
    """Let a command say which service it asks, how long it waits, and how it prints."""
    add = parser.add_argument
    add("--json", action="store_true", help="print JSON")
    add("--timeout", type=_seconds, metavar="SECONDS", help="time-out of the call (default: 2)")
    add(
        "--address",
        default=os.environ.get(ADDRESS_VARIABLE) or DEFAULT_ADDRESS,
        help=f"host:port of the service (default: ${ADDRESS_VARIABLE}, else {DEFAULT_ADDRESS})",
    )
    add("--token-file", metavar="FILE", help="a file that holds the bearer token")
    add("--tls", action="store_true", help="use TLS with the system's roots")
    add("--ca", metavar="FILE", help="use TLS with the roots of this PEM file")
    add("--cert", metavar="FILE", help="use TLS and show this certificate (PEM); needs --key")
    add("--key", metavar="FILE", help="the private key of --cert (PEM)")
    add("--server-name", metavar="NAME", help="use TLS; the name in the service's certificate")


def tls_of(arguments: argparse.Namespace) -> Tls | bool:
    """The TLS options of the service. Raises the errors of `Tls`."""
    if not (arguments.ca or arguments.cert or arguments.key or arguments.server_name):
        return bool(arguments.tls)
    return Tls.from_files(
        roots=arguments.ca,
        certificate=arguments.cert,
        key=arguments.key,
        server_name=arguments.server_name,
    )


def _seconds(text: str) -> float:
    seconds = float(text)
    if not (math.isfinite(seconds) and seconds > 0):
        raise argparse.ArgumentTypeError("must be more than 0")
    return seconds
