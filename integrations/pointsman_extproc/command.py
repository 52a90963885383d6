"""`pointsman ext-proc`: run the external processor of an Envoy."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Sequence

from pointsman_client import RoutingClient, Tls, TokenFile
from pointsman_client.cli.command_line import warn_of_misspelt_address
from prometheus_client import start_http_server

from pointsman_extproc.arguments import DEFAULT_ADDRESS, parser_of, settings_from
from pointsman_extproc.choosing import Chooser
from pointsman_extproc.listen import Listen, check_free
from pointsman_extproc.metrics import Metrics
from pointsman_extproc.processor import Processor
from pointsman_extproc.reader_pool import ReaderPool
from pointsman_extproc.server import listening
from pointsman_extproc.settings import Settings

_ENDED = 0
_CANNOT_START = 1
_BAD_USAGE = 2
_GRACE = 10.0


def ext_proc(argv: Sequence[str]) -> int:
    """Run the command until a signal; return 0 ended, 1 cannot start, 2 bad usage."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    try:
        arguments = parser_of().parse_args(argv)
    except SystemExit as left:  # argparse leaves after --help and after bad usage
        return left.code if isinstance(left.code, int) else _BAD_USAGE
    if arguments.address == DEFAULT_ADDRESS:
        warn_of_misspelt_address(os.environ, command="ext-proc")
    try:
        settings = settings_from(arguments)
        listen = Listen.from_arguments(arguments)
        client = _client(arguments)
    except (ValueError, OSError) as error:
        return _complain(str(error), status=_BAD_USAGE)
    try:
        asyncio.run(_run(arguments, settings=settings, listen=listen, client=client))
    except (OSError, RuntimeError) as error:
        return _complain(f"cannot start: {error}", status=_CANNOT_START)
    return _ENDED


async def _run(
    arguments: argparse.Namespace, *, settings: Settings, listen: Listen, client: RoutingClient
) -> None:
    stopped = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stopped.set)
    metrics = Metrics()
    check_free(listen.address)
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(client)
        if arguments.metrics_listen:
            check_free(arguments.metrics_listen)
            host, _, port = arguments.metrics_listen.rpartition(":")
            scraped, thread = start_http_server(int(port), host, metrics.registry)
            stack.callback(scraped.server_close)
            stack.callback(thread.join)
            stack.callback(scraped.shutdown)
        readers = ReaderPool(processes=arguments.readers)
        stack.push_async_callback(readers.aclose)
        await readers.ready(within=_GRACE)
        chooser = Chooser(client, settings=settings, readers=readers)
        processor = Processor(chooser, settings=settings, metrics=metrics)
        address = await stack.enter_async_context(
            listening(processor, listen=listen, most_bytes=settings.most_bytes, grace=_GRACE)
        )
        does = "serving" if settings.serves else "shadowing"
        sys.stdout.write(f"processing on {address}, {does} {', '.join(settings.tiers)}\n")
        sys.stdout.flush()
        await stopped.wait()


def _client(arguments: argparse.Namespace) -> RoutingClient:
    files = {"roots": arguments.ca, "certificate": arguments.cert, "key": arguments.key}
    tls: Tls | bool = Tls.from_files(**files) if any(files.values()) else arguments.tls
    return RoutingClient(
        arguments.address,
        token=TokenFile(arguments.token_file) if arguments.token_file else None,
        tls=tls,
        decide_timeout=arguments.timeout,
    )


def _complain(message: str, *, status: int) -> int:
    sys.stderr.write(f"pointsman ext-proc: {message}\n")
    return status
