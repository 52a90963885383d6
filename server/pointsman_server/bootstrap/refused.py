"""Why an address cannot be listened on: gRPC's own text names no setting and no reason."""

from __future__ import annotations

import socket
from pathlib import Path

from pointsman_server.settings import UNIX, host_and_port
from pointsman_server.supervisor.reserved_port import reserve


def why_refused(address: str) -> str:
    """What the system says to somebody else who tries it."""
    try:
        if address.startswith(UNIX):
            _bind_and_remove(Path(address.removeprefix(UNIX).removeprefix("//")))
        else:
            reserve(*host_and_port(address)).close()
    except OSError as error:
        return error.strerror or str(error)
    return "gRPC does not say why"


def _bind_and_remove(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.bind(str(path))
    path.unlink()
