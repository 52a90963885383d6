"""The port that all workers listen on."""

from __future__ import annotations

import socket


def reserve(host: str, port: int) -> socket.socket:
    """Bind a port (0: any free one) for processes of this user to listen on together.

    The socket never listens, so the system hands it no connection; while it is open, nobody else
    gets the port. Raises `OSError` where somebody has it: with SO_REUSEPORT alone, two services
    started by accident would silently share their traffic.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    if port:
        with socket.socket(family, kind, protocol) as probe:
            # Connections that a former service left in TIME_WAIT do not count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    reserved = socket.socket(family, kind, protocol)
    try:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        # Set for the bind only: connections in TIME_WAIT of a service without SO_REUSEPORT refuse
        # sockets with SO_REUSEPORT only. If it stayed set, the next supervisor's probe would
        # find the port free.
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(address)
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    except OSError:
        reserved.close()
        raise
    return reserved
