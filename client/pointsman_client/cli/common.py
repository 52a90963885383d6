"""Parts that the client's commands share: options of the connection, errors, exit statuses."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from pointsman_client.arguments import checked_target
from pointsman_client.channel import Tls
from pointsman_client.cli.command_line import (
    ADDRESS_VARIABLE,
    CommandParser,
    warn_of_misspelt_address,
)
from pointsman_client.cli.hints import unreached_text
from pointsman_client.errors import Denied, InvalidRequest, NotFound, RoutingError, Unsupported
from pointsman_client.sync_client import SyncRoutingClient
from pointsman_client.tokens import TokenFile

DEFAULT_ADDRESS = "127.0.0.1:50051"

ANSWERED = 0
UNREACHABLE = 1
BAD_USAGE = 2
REFUSED = 3
STATUSES = "Exit status: 0 answered, 1 no answer from the service, 2 bad usage, 3 refused."

_REFUSALS = (InvalidRequest, Denied, NotFound, Unsupported)
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Called:
    """A command line that was read, and the client that its options describe."""

    arguments: argparse.Namespace
    client: SyncRoutingClient
    prompt: str | None
    """The prompt, read from standard input where it is `-`."""


def parser_of(command: str, *, description: str, example: str) -> argparse.ArgumentParser:
    """A parser whose help ends with an example and the exit statuses."""
    return CommandParser(
        prog=f"pointsman {command}",
        description=description,
        epilog=f"example:\n  {example}\n\n{STATUSES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def run(
    parser: argparse.ArgumentParser,
    argv: Sequence[str],
    *,
    command: str,
    ask: Callable[[Called], Answer],
    show: Callable[[Answer], str],
    status: Callable[[Answer], int] = lambda _: ANSWERED,
) -> int:
    """Read the command line, ask the service, and print the answer; returns the exit status."""
    try:
        arguments = parser.parse_args(argv)
    except SystemExit as left:  # argparse leaves after --help and after bad usage
        return left.code if isinstance(left.code, int) else BAD_USAGE
    warn_if_misspelt(arguments, command=command)
    try:
        token = TokenFile(arguments.token_file)() if arguments.token_file else None
        tls = tls_of(arguments)
        prompt = getattr(arguments, "prompt", None)
        prompt = sys.stdin.read() if prompt == "-" else prompt
    except (OSError, UnicodeDecodeError) as error:
        return complain(f"cannot read: {error}", status=BAD_USAGE, command=command)
    except ValueError as error:
        return complain(str(error), status=BAD_USAGE, command=command)
    try:
        with SyncRoutingClient(arguments.address, token=token, tls=tls) as client:
            answer = ask(Called(arguments, client, prompt))
    except RoutingError as error:
        return explain(error, arguments=arguments, command=command)
    sys.stdout.write(_json(answer) if arguments.json else show(answer))
    return status(answer)


def _json(answer: Any) -> str:
    return json.dumps(asdict(answer), indent=2, default=str) + "\n"


def explain(error: RoutingError, *, arguments: argparse.Namespace, command: str) -> int:
    """Print the error: every bad field on a separate line, with a hint."""
    status = REFUSED if isinstance(error, _REFUSALS) else UNREACHABLE
    if arguments.json:
        fields = [asdict(each) for each in error.violations]
        facts = {"status": error.status, "reason": error.reason, "violations": fields}
        sys.stdout.write(
            json.dumps({"error": str(error), "kind": error.fallback, **facts}, indent=2) + "\n"
        )
    if error.violations:
        complain("the request was refused:", status=status, command=command)
        for each in error.violations:
            sys.stderr.write(f"  {each.field}: {each.description}\n")
        return status
    return complain(_text(error, address=arguments.address), status=status, command=command)


def _text(error: RoutingError, *, address: str) -> str:
    if isinstance(error, Denied) and error.status == "UNAUTHENTICATED":
        return f"{error}: give it with --token-file"
    if isinstance(error, _REFUSALS):
        return str(error)
    return unreached_text(
        str(error), address=address, variable=ADDRESS_VARIABLE, default=DEFAULT_ADDRESS
    )


def complain(message: str, *, status: int, command: str) -> int:
    """Print an error; returns the exit status."""
    sys.stderr.write(f"pointsman {command}: {message}\n")
    return status


def add_connection(parser: argparse.ArgumentParser) -> None:
    """Let a command say which service it asks, how long it waits, and how it prints."""
    add = parser.add_argument
    add("--json", action="store_true", help="print JSON")
    add("--timeout", type=_seconds, metavar="SECONDS", help="time-out of the call (default: 2)")
    add(
        "--address",
        type=_address,
        default=os.environ.get(ADDRESS_VARIABLE) or DEFAULT_ADDRESS,
        help=f"host:port of the service (default: ${ADDRESS_VARIABLE}, else {DEFAULT_ADDRESS})",
    )
    add("--token-file", metavar="FILE", help="a file that holds the bearer token")
    add("--tls", action="store_true", help="use TLS with the system's roots")
    add("--ca", metavar="FILE", help="use TLS with the roots of this PEM file")
    add("--cert", metavar="FILE", help="use TLS and show this certificate (PEM); needs --key")
    add("--key", metavar="FILE", help="the private key of --cert (PEM)")
    add("--server-name", metavar="NAME", help="use TLS; the name in the service's certificate")


def warn_if_misspelt(arguments: argparse.Namespace, *, command: str) -> None:
    """Say that a variable for the address is misspelt, where no other address is given."""
    if arguments.address == DEFAULT_ADDRESS:
        warn_of_misspelt_address(os.environ, command=command)


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


def _address(text: str) -> str:
    try:
        return checked_target(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _seconds(text: str) -> float:
    seconds = float(text)
    if not (math.isfinite(seconds) and seconds > 0):
        raise argparse.ArgumentTypeError("must be more than 0")
    return seconds
