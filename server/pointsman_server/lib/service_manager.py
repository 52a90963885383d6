"""Tell the service manager that started this process how it is, as systemd's sd_notify(3) does."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Mapping

VARIABLE = "NOTIFY_SOCKET"
_log = logging.getLogger(__name__)


def notify(state: str, *, environment: Mapping[str, str] = os.environ) -> bool:
    """Send `state`, lines of `NAME=value`; false if no service manager listens. Never raises."""
    address = environment.get(VARIABLE, "")
    if not address.startswith(("/", "@")):
        return False
    if address.startswith("@"):  # Linux's abstract sockets
        address = f"\0{address[1:]}"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as link:
            link.connect(address)
            link.sendall(state.encode())
    except OSError as error:
        _log.warning("service manager not notified: %s: %s", VARIABLE, error.strerror)
        return False
    return True


def ready(status: str) -> str:
    """The state of a process that serves; `status` is one line for people."""
    return f"READY=1\nSTATUS={status}"


def reloading() -> str:
    """The state of a process that reloads its configuration, until it is ready again."""
    return f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1_000}"


STOPPING = "STOPPING=1"
