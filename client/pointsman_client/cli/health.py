"""`pointsman health`: ask a running service whether it serves, for probes and health checks.

The question is `Check` of `grpc.health.v1.Health`, as
https://github.com/grpc/grpc/blob/master/doc/health-checking.md defines it. Its request is a message
whose field 1 is a string, its answer one whose field 1 is an enum; the wrapper types of protobuf
look the same on the wire, so that no further package is needed for it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from typing import Final

import grpc.aio
from google.protobuf.wrappers_pb2 import Int32Value, StringValue

from pointsman_client.channel import Tls, open_channel
from pointsman_client.cli.command_line import CommandParser
from pointsman_client.cli.common import (
    ANSWERED,
    BAD_USAGE,
    REFUSED,
    UNREACHABLE,
    add_connection,
    complain,
    explain,
    tls_of,
    warn_if_misspelt,
)
from pointsman_client.client import ROUTE_TIMEOUT
from pointsman_client.errors import NotFound, RoutingError
from pointsman_client.statuses import error_from
from pointsman_client.tokens import TokenFile

METHOD: Final = "/grpc.health.v1.Health/Check"
SERVING: Final = "SERVING"
STATES: Final = {0: "UNKNOWN", 1: SERVING, 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}


def health(argv: Sequence[str]) -> int:
    """Run the command; returns 0 serving, 1 no answer, 2 bad usage, 3 not serving."""
    try:
        arguments = _parser().parse_args(argv)
    except SystemExit as left:  # argparse leaves after --help and after bad usage
        return left.code if isinstance(left.code, int) else BAD_USAGE
    warn_if_misspelt(arguments, command="health")
    try:
        token = TokenFile(arguments.token_file)() if arguments.token_file else None
        spoken = tls_of(arguments)
    except (OSError, UnicodeDecodeError) as error:
        return complain(f"cannot read: {error}", status=BAD_USAGE, command="health")
    except ValueError as error:
        return complain(str(error), status=BAD_USAGE, command="health")
    tls = Tls() if spoken is True else spoken or None
    try:
        state = asyncio.run(_check(arguments, token=token, tls=tls))
    except NotFound:
        return complain(f"no service {arguments.service}", status=REFUSED, command="health")
    except RoutingError as error:
        status = explain(error, arguments=arguments, command="health")
        return UNREACHABLE if status == REFUSED else status
    sys.stdout.write((json.dumps({"status": state}) if arguments.json else state) + "\n")
    return ANSWERED if state == SERVING else REFUSED


async def _check(arguments: argparse.Namespace, *, token: str | None, tls: Tls | None) -> str:
    """The state of the service, by name. Raises `RoutingError` without an answer."""
    channel = open_channel(arguments.address, tls=tls, keepalive=None, retries=0, options={})
    encode: Callable[[StringValue], bytes] = StringValue.SerializeToString
    ask = channel.unary_unary(
        METHOD, request_serializer=encode, response_deserializer=Int32Value.FromString
    )
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    async with channel:
        try:
            answer = await ask(
                StringValue(value=arguments.service),
                timeout=arguments.timeout or ROUTE_TIMEOUT,
                metadata=metadata,
            )
        except grpc.aio.AioRpcError as failure:
            raise error_from(failure) from None
    return STATES.get(answer.value, f"state {answer.value}")


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        prog="pointsman health",
        description="Ask a running service whether it serves.",
        epilog="example:\n  pointsman health --address 127.0.0.1:50051\n\n"
        "Exit status: 0 serving, 1 no answer, 2 bad usage, 3 an answer, but not serving.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--service",
        metavar="NAME",
        default="",
        help="a gRPC service, e.g. pointsman.v1.RoutingService (default: the server as a whole)",
    )
    add_connection(parser)
    return parser
