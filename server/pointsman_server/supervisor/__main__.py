"""The supervisor's process: `bootstrap.launch` puts it in the place of the one that was started."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import socket
import sys
import time
from collections.abc import Sequence

from pointsman_server.lib.console import Console
from pointsman_server.lib.service_manager import STOPPING, notify, ready
from pointsman_server.lib.start_signals import (
    Terminated,
    end_if_terminated,
    end_terminated,
    start_signals,
)
from pointsman_server.supervisor.protocol import Plan, plan_of
from pointsman_server.supervisor.reserved_port import reserve
from pointsman_server.supervisor.supervisor import Supervisor


def main(argv: Sequence[str]) -> int:
    """Supervise: the plan, then the arguments of `pointsman serve`. Returns the exit status."""
    try:
        with start_signals(reloads=True):
            return _finished(argv)
    except Terminated:
        return end_terminated()


def _finished(argv: Sequence[str]) -> int:
    plan = plan_of(argv[0])
    _log_to_stderr(plan)
    console = Console(as_log=plan.log_format == "json")
    try:
        reserved = reserve(plan.host, plan.port)
    except OSError as error:
        address, why = f"{plan.host}:{plan.port}", error.strerror or error
        return console.complain([f"POINTSMAN_LISTEN: cannot listen on {address}: {why}"])
    with reserved:
        return asyncio.run(_supervise(plan, reserved, arguments=argv[1:], console=console))


async def _supervise(
    plan: Plan, reserved: socket.socket, *, arguments: Sequence[str], console: Console
) -> int:
    supervisor = Supervisor(
        workers=plan.workers,
        port=reserved.getsockname()[1],
        command=(sys.executable, "-P", "-m", "pointsman_server", "serve", *arguments),
        stop_within=plan.stop_within,
    )

    def stop() -> None:
        notify(STOPPING)
        supervisor.stop()

    def say(line: str) -> None:
        notify(ready(line))
        console.tell(line)

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    loop.add_signal_handler(signal.SIGHUP, supervisor.reload)
    end_if_terminated()
    return await supervisor.run(say=say)


class _JsonLines(logging.Formatter):
    """The shape of the workers' own log lines, without the libraries that those are made with."""

    def format(self, record: logging.LogRecord) -> str:
        """`record` as a line without its feed."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        return json.dumps(
            {
                "time": f"{moment}.{record.msecs:03.0f}Z",
                "level": record.levelname.lower(),
                "logger": record.name,
                "message": record.getMessage(),
            },
            separators=(",", ":"),
        )


def _log_to_stderr(plan: Plan) -> None:
    text = plan.log_format == "text" or (plan.log_format == "auto" and sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    shape = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
    handler.setFormatter(logging.Formatter(shape) if text else _JsonLines())
    logging.basicConfig(handlers=[handler], level=plan.log_level.upper())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
