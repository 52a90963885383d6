"""From the process that read the settings to the supervisor of many workers."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from pointsman_server.bootstrap.addresses import check_addresses
from pointsman_server.core.errors import SettingInvalid
from pointsman_server.lib.host_port import UNIX, parse_host_port
from pointsman_server.settings import Settings
from pointsman_server.supervisor.protocol import Plan, plan_text

MARGIN = 10.0
"""Seconds on top of drain and grace: telemetry's last export, the interpreter's end."""


def launch(settings: Settings, arguments: Sequence[str]) -> NoReturn:
    """Become the supervisor; `arguments` are those of `pointsman serve`.

    It replaces this process without its libraries: the supervisor has the same process id and uses
    about 20 MB. Workers are separate processes, never forks: gRPC's threads would not survive a
    fork. Raises `SettingInvalid` for a forbidden address.
    """
    check_addresses(settings, environment=os.environ)
    if settings.listen.startswith(UNIX):
        raise SettingInvalid("POINTSMAN_LISTEN", "workers cannot share a Unix socket")
    host, port = parse_host_port(settings.listen)
    plan = Plan(
        host=host,
        port=port,
        workers=settings.workers,
        stop_within=settings.drain + settings.grace + MARGIN,
        log_level=settings.log_level,
        log_format=settings.log_format,
    )
    sys.stdout.flush()
    sys.stderr.flush()
    # -P: files in the working directory are not modules of the service.
    room = "pointsman_server.supervisor"
    command = [sys.executable, "-P", "-m", room, plan_text(plan), *arguments]
    os.execv(sys.executable, command)  # noqa: S606  (no shell is wanted)
