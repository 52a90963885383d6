"""Addresses of the form `HOST:PORT`."""

from __future__ import annotations

from typing import Final

HIGHEST_PORT: Final = 65_535


def parse_host_port(address: str) -> tuple[str, int]:
    """Split `host:port`; an IPv6 host stands in brackets. Raises `ValueError`."""
    host, colon, port = address.rpartition(":")
    plain = port.isascii() and port.isdecimal()
    if not colon or not host or not plain or len(port) > 5 or int(port) > HIGHEST_PORT:  # noqa: PLR2004
        raise ValueError(f"{address!r} is not HOST:PORT")
    return host.removeprefix("[").removesuffix("]"), int(port)
