"""Shares of a server's connections by peer address.

gRPC accepts connections by itself and limits nothing but their number. On Linux the process can
look at its own sockets: those that an address has beyond its share are closed, the newest first.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import stat
import sys
from collections.abc import Iterator
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import NamedTuple

from pointsman_server.core.fair_share import FairShare

INTERVAL = 0.5
"""Seconds between two looks."""
NETWORK = 64
"""Bits of an IPv6 address that one peer has for itself."""

_OWN = "/proc/self/fd"
_INTERNET = (socket.AF_INET, socket.AF_INET6)
_log = logging.getLogger(__name__)


class Connection(NamedTuple):
    """One accepted connection of this process."""

    inode: int
    """The kernel counts them upwards, in blocks per processor: mostly, the higher is the newer."""
    descriptor: int
    peer: str


async def keep_shares(port: int, *, limit: int) -> None:
    """Close connections to `port` beyond their peer's share of `limit`, until cancelled."""
    while sys.platform == "linux":
        await asyncio.sleep(INTERVAL)
        closed = await asyncio.to_thread(close_excess, port, limit=limit)
        if closed:
            _log.warning("closed %d connections of addresses that held more than a share", closed)


def close_excess(port: int, *, limit: int) -> int:
    """Close connections beyond their peers' shares. Returns their number."""
    # Files and other sockets count too, but of fewer descriptors nobody has too many.
    if len(os.listdir(_OWN)) <= limit // 2:  # noqa: PTH208  (half of what `Path.iterdir` takes)
        return 0
    shares = FairShare(limit)
    excess = [each for each in sorted(connections(port)) if not shares.take(each.peer)]
    return sum(map(_close, excess))


def connections(port: int) -> Iterator[Connection]:
    """The connections that peers have to `port` of this process."""
    for name in os.listdir(_OWN):  # noqa: PTH208
        # Meanwhile it may have been closed.
        with contextlib.suppress(OSError):
            descriptor = int(name)
            found = os.fstat(descriptor)
            if stat.S_ISSOCK(found.st_mode) and (peer := _peer(descriptor, port)) is not None:
                yield Connection(found.st_ino, descriptor, peer)


def _peer(descriptor: int, port: int) -> str | None:
    """The address at the other end, if this end is `port`. Raises `OSError` if there is none."""
    opened = socket.socket(fileno=descriptor)
    try:
        if opened.family not in _INTERNET or opened.getsockname()[1] != port:
            return None
        return network_of(str(opened.getpeername()[0]))
    finally:
        opened.detach()  # it is gRPC's to close


def network_of(address: str) -> str:
    """An IPv4 address, or the network of an IPv6 one."""
    found = ip_address(address.partition("%")[0])
    if not isinstance(found, IPv6Address):
        return str(found)
    return str(found.ipv4_mapped or IPv6Network((found, NETWORK), strict=False))


def _close(connection: Connection) -> bool:
    """End a connection in both directions: gRPC sees that its peer has left."""
    with contextlib.suppress(OSError):
        # Of a copy: the number may be another file's by now.
        copied = os.dup(connection.descriptor)
        try:
            if os.fstat(copied).st_ino != connection.inode:
                return False
            opened = socket.socket(fileno=copied)
            try:
                opened.shutdown(socket.SHUT_RDWR)
            finally:
                opened.detach()
        finally:
            os.close(copied)
        return True
    return False
