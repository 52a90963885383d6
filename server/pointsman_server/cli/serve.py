"""`pointsman serve`: the gRPC server, until SIGTERM."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ValidationError

from pointsman_server.bootstrap.exec_supervisor import launch
from pointsman_server.bootstrap.scheduling import schedule
from pointsman_server.bootstrap.serve import serve as serve_until_stopped
from pointsman_server.bootstrap.system import SystemResources
from pointsman_server.bootstrap.worker_link import SupervisorLink
from pointsman_server.cli.options import add_set_option, meant
from pointsman_server.cli.running import run_until_done
from pointsman_server.core.errors import SettingInvalid
from pointsman_server.lib.console import Console, open_standard_streams
from pointsman_server.settings import Settings
from pointsman_server.telemetry.service_log.formatters import FORMATS, configure_logging


def serve(argv: Sequence[str]) -> int:
    """Serve until SIGTERM. Returns the exit status."""
    open_standard_streams()
    console = Console(as_log=_log_format() == "json")
    undo = configure_logging("info", _log_format())
    parser = Parser(
        console,
        prog="pointsman serve",
        description="Serve routing decisions over gRPC and HTTP.",
        epilog="example:\n  pointsman serve --policy-file policy.yaml --set mode=serve\n\n"
        "Further settings are environment variables, all POINTSMAN_*; telemetry follows OTEL_*.\n"
        "See docs/operating.md.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--listen", metavar="HOST:PORT", help="default 127.0.0.1:50051")
    parser.add_argument("--policy-file", metavar="FILE", type=Path, help="default: built in")
    parser.add_argument(
        "--admin-listen", metavar="HOST:PORT", help="reflection and channelz; '' for none"
    )
    parser.add_argument(
        "--http-listen", metavar="HOST:PORT", help="Connect, gRPC-Web and JSON; '' for none"
    )
    parser.add_argument("--metrics-listen", metavar="HOST:PORT", help="Prometheus; '' for none")
    parser.add_argument("--workers", metavar="N", type=int, help="processes; default 1")
    parser.add_argument(
        "--plaintext-beyond-loopback",
        metavar="rpc,admin,http,metrics",
        help="listeners that may use non-loopback addresses without TLS",
    )
    add_set_option(parser)
    given = {k: v for k, v in vars(parser.parse_args(argv)).items() if v is not None}
    assignments = given.pop("assignments")
    try:
        settings = Settings(**given)
    except ValidationError as error:
        return console.complain([_told(e["loc"], e["msg"]) for e in error.errors()])
    undo()
    worker = SupervisorLink.of(os.environ)
    ambient = SystemResources()
    configure_logging(settings.log_level, settings.log_format, secrets=ambient.secrets)
    try:
        if settings.workers > 1 and worker is None:
            launch(settings, argv)
        schedule(settings.scheduling)
    except SettingInvalid as error:
        return console.complain([str(error)])
    work = serve_until_stopped(
        settings, say=console.tell, ambient=ambient, assignments=assignments, worker=worker
    )
    return run_until_done(work, console=console, loop=settings.event_loop)


class Parser(argparse.ArgumentParser):
    """A parser whose errors are lines of the log where that is JSON."""

    def __init__(self, console: Console, **settings: Any) -> None:
        super().__init__(**settings)
        self._console = console

    def error(self, message: str) -> NoReturn:
        """End the process with the status of bad usage."""
        message += meant(message, usage=self.format_usage())
        if not self._console.as_log:
            super().error(message)
        raise SystemExit(self._console.complain([message]))


def _log_format() -> str:
    """The format of the log, also where other settings are wrong."""
    given = os.environ.get("POINTSMAN_LOG_FORMAT", "").strip().lower()
    return given if given in FORMATS else "auto"


def _told(location: tuple[int | str, ...], message: str) -> str:
    return f"POINTSMAN_{location[0]}: ".upper() + message.removeprefix("Value error, ")
