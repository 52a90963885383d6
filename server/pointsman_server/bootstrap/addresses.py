"""The addresses to listen on: whether they can be used, and where workers listen."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path

from pointsman_server.core.errors import SettingInvalid
from pointsman_server.lib.host_port import HIGHEST_PORT, UNIX, parse_host_port
from pointsman_server.settings import (
    Listener,
    Settings,
    socket_path,
    stays_here,
)
from pointsman_server.supervisor.protocol import WorkerAssignment
from pointsman_server.supervisor.reserved_port import reserve
from pointsman_server.telemetry.config import read_environment

TLS_SETTINGS = "POINTSMAN_TLS_CERT_FILE and POINTSMAN_TLS_KEY_FILE"


def check_addresses(settings: Settings, *, environment: Mapping[str, str]) -> None:
    """Refuse plaintext on non-loopback addresses, unless the settings permit it.

    The supervisor checks for all workers. Raises `SettingInvalid` with the setting to change.
    """
    encrypted = settings.tls_cert_file is not None
    _check("rpc", "POINTSMAN_LISTEN", settings.listen, settings, encrypted=encrypted)
    _check("admin", "POINTSMAN_ADMIN_LISTEN", settings.admin_listen, settings, encrypted=encrypted)
    _check("http", "POINTSMAN_HTTP_LISTEN", settings.http_listen, settings, encrypted=encrypted)
    setting, metrics = "POINTSMAN_METRICS_LISTEN", settings.metrics_listen
    if not metrics and (found := read_environment(environment).prometheus):
        setting, metrics = "OTEL_EXPORTER_PROMETHEUS_HOST", f"{found[0]}:{found[1]}"
    _check("metrics", setting, metrics, settings, encrypted=False)


def _check(
    name: Listener, setting: str, address: str, settings: Settings, *, encrypted: bool
) -> None:
    words = settings.plaintext_beyond_loopback
    if not address or encrypted or name in words or stays_here(address):
        return
    wanted = ",".join(sorted({*words, name}))
    tls = f"set {TLS_SETTINGS}, or, " if name != "metrics" else ""
    raise SettingInvalid(
        setting,
        f"other machines may reach {address}, and it would listen in plaintext: {tls}where the"
        f" network is trusted, POINTSMAN_PLAINTEXT_BEYOND_LOOPBACK={wanted}",
    )


def rpc_address(settings: Settings, duty: WorkerAssignment | None) -> str:
    """Workers have one port, which their supervisor keeps for them."""
    if duty is None:
        return settings.listen
    return f"{settings.listen.rpartition(':')[0]}:{duty.port}"


def admin_address(settings: Settings, duty: WorkerAssignment | None) -> str:
    """A worker's own, beside the one in the settings; a free port stays a free one."""
    address = settings.admin_listen
    if not address or duty is None or not duty.index:
        return address
    if address.startswith(UNIX):
        return f"{address}.{duty.index}"
    _, port = parse_host_port(address)
    if port + duty.index > HIGHEST_PORT:
        why = f"worker {duty.index} has no port left above {port}"
        raise SettingInvalid("POINTSMAN_ADMIN_LISTEN", why)
    return f"{address.rpartition(':')[0]}:{port + duty.index if port else 0}"


def why_refused(address: str) -> str:
    """The reason that the system gives for a second try: gRPC's own text names none."""
    try:
        if address.startswith(UNIX):
            _bind_and_remove(Path(socket_path(address)))
        else:
            reserve(*parse_host_port(address)).close()
    except OSError as error:
        return error.strerror or str(error)
    return "gRPC does not say why"


def _bind_and_remove(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.bind(str(path))
    path.unlink()
