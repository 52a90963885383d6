"""systemd's notifications from real processes: ready, reloading, stopping."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pointsman_server.lib.service_manager import notify, ready
from support.served import policy_text

PATIENCE = 90.0


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """The service manager's end of `NOTIFY_SOCKET`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
        link.bind(str(tmp_path / "notify"))
        link.settimeout(PATIENCE)
        yield link


def told(manager: socket.socket) -> dict[str, str]:
    return dict(line.split("=", 1) for line in manager.recv(4_096).decode().splitlines())


@pytest.mark.parametrize("workers", ["1", "2"])
def test_systemd_is_told_when_it_serves_and_when_it_stops(
    manager: socket.socket, tmp_path: Path, workers: str
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(policy_text())
    environment = {
        **os.environ,
        **{f"POINTSMAN_{name}_LISTEN": "" for name in ("ADMIN", "HTTP", "METRICS")},
        "NOTIFY_SOCKET": manager.getsockname(),
    }
    command = [sys.executable, "-m", "pointsman_server", "serve", "--policy-file", str(policy)]
    command += ["--listen", "127.0.0.1:0", "--workers", workers]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            first = told(manager)
            assert first["READY"] == "1"
            assert first["STATUS"].startswith("pointsman serving on 127.0.0.1:")
            process.send_signal(signal.SIGHUP)
            if workers == "1":
                assert told(manager)["RELOADING"] == "1"
                assert told(manager)["READY"] == "1"
            process.send_signal(signal.SIGTERM)
            assert told(manager) == {"STOPPING": "1"}
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()


def test_an_abstract_socket_is_reached() -> None:
    name = f"pointsman-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
        link.bind(f"\0{name}")
        assert notify(ready("serves"), environment={"NOTIFY_SOCKET": f"@{name}"})
        assert link.recv(100) == b"READY=1\nSTATUS=serves"


@pytest.mark.parametrize("address", ["", "vsock:2:1234", "/nowhere/notify"])
def test_without_a_manager_nothing_happens(address: str) -> None:
    assert not notify(ready("serves"), environment={"NOTIFY_SOCKET": address})
