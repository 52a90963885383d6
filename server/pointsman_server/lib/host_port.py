"""Addresses: `HOST:PORT`, sockets in the file system, and which stay on this machine."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from typing import Final

HIGHEST_PORT: Final = 65_535
UNIX: Final = "unix:"
"""Starts the address of a Unix socket: `unix:/run/pointsman.sock`."""
SOCKET_PATH_BYTES: Final = 107
"""Bytes of a socket's path on Linux (unix(7))."""


def parse_host_port(address: str) -> tuple[str, int]:
    """Split `host:port`; an IPv6 host stands in brackets. Raises `ValueError`."""
    host, colon, port = address.rpartition(":")
    plain = port.isascii() and port.isdecimal()
    if not colon or not host or not plain or len(port) > 5 or int(port) > HIGHEST_PORT:  # noqa: PLR2004
        raise ValueError(f"{address!r} is not HOST:PORT")
    return host.removeprefix("[").removesuffix("]"), int(port)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine. Of names, only `localhost` is."""
    try:
        ip = ip_address(host)
    except ValueError:
        return host.lower() == "localhost"
    mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
    return (mapped or ip).is_loopback
