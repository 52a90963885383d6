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
import time
from collections.abc import Iterable, Iterator
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import NamedTuple

from pointsman_server.core.fair_share import FairShare

INTERVAL, LEAST_INTERVAL = 0.5, 0.025
"""Seconds between two looks, and after one that found an excess."""
IDLE = 9.0
"""Times as long as a look that the pause after it is: who opens connections costs no more."""
TELL_EVERY = 10.0
"""Seconds between two lines of the log."""
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
    """Close connections to `port` beyond their peer's share of `limit`, until cancelled.

    While there are any, it looks more often: an address that opens thousands a second would take
    the places that become free long before the next look.
    """
    shares, pause, closed, told = ConnectionShares(port, limit=limit), INTERVAL, 0, -TELL_EVERY
    while sys.platform == "linux":
        await asyncio.sleep(pause)
        began = time.monotonic()
        found = await asyncio.to_thread(shares.close_excess)
        least = max(LEAST_INTERVAL, IDLE * (time.monotonic() - began))
        pause = least if found else max(least, min(2 * pause, INTERVAL))
        closed += found
        if closed and time.monotonic() - told >= TELL_EVERY:
            _log.warning("closed %d connections of addresses that held more than a share", closed)
            closed, told = 0, time.monotonic()


class ConnectionShares:
    """The connections that peers have to one port of this process, and their shares of `limit`."""

    def __init__(self, port: int, *, limit: int) -> None:
        self._port = port
        self._limit = limit
        self._seen: dict[int, tuple[int, str | None]] = {}
        """Descriptors of the last look: the inode, and the peer of a connection."""
        self._ended: set[int] = set()
        """Inodes of closed connections that gRPC has not given up yet."""

    def close_excess(self) -> int:
        """Close connections beyond their peers' shares. Returns their number."""
        # Files and other sockets count too, but of fewer descriptors nobody has too many.
        names = os.listdir(_OWN)  # noqa: PTH208  (half of what `Path.iterdir` takes)
        if len(names) <= self._limit // 2:
            self._seen.clear()
            self._ended.clear()
            return 0
        shares = FairShare(self._limit)
        found = sorted(self._connections(names))
        self._ended &= {each.inode for each in found}
        excess = [each for each in found if not shares.take(each.peer)]
        closed = {each.inode for each in excess if each.inode not in self._ended and _close(each)}
        self._ended |= closed
        return len(closed)

    def connections(self) -> list[Connection]:
        """Return the connections that are open, the oldest first."""
        return sorted(self._connections(os.listdir(_OWN)))  # noqa: PTH208

    def _connections(self, names: Iterable[str]) -> Iterator[Connection]:
        before, self._seen = self._seen, {}
        for name in names:
            # Meanwhile it may have been closed.
            with contextlib.suppress(OSError):
                descriptor = int(name)
                found = os.fstat(descriptor)
                if not stat.S_ISSOCK(found.st_mode):
                    continue
                seen = before.get(descriptor)
                if seen is None or seen[0] != found.st_ino:
                    seen = found.st_ino, _peer(descriptor, self._port)
                self._seen[descriptor] = seen
                if seen[1] is not None:
                    yield Connection(found.st_ino, descriptor, seen[1])


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
