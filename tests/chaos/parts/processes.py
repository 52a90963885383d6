"""What a running process takes of its machine, read from `/proc`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

MB = 1024 * 1024
_OPEN = {"01", "08"}
"""ESTABLISHED, and CLOSE_WAIT: the peer has left and the service has not noticed."""


def connections(port: int) -> int:
    """Established connections of those who serve 127.0.0.1:`port`, on their side."""
    wanted = f":{port:04X}"
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    lines += Path("/proc/net/tcp6").read_text().splitlines()[1:]
    rows = [line.split() for line in lines]
    return sum(row[1].endswith(wanted) and row[3] in _OPEN for row in rows)


@dataclass(frozen=True, slots=True)
class Taken:
    """Resident memory in bytes, open file descriptors, threads."""

    rss: int
    descriptors: int
    threads: int

    @classmethod
    def by(cls, pid: int) -> Self:
        """What process `pid` takes now."""
        status = Path(f"/proc/{pid}/status").read_text()
        rss = re.search(r"VmRSS:\s+(\d+) kB", status)
        threads = re.search(r"Threads:\s+(\d+)", status)
        assert rss is not None
        assert threads is not None
        return cls(
            int(rss[1]) * 1024, len(list(Path(f"/proc/{pid}/fd").iterdir())), int(threads[1])
        )

    @property
    def megabytes(self) -> float:
        return self.rss / MB


def slope(points: list[tuple[float, float]]) -> float:
    """The least-squares slope of y over x."""
    count = len(points)
    mean_x = sum(x for x, _ in points) / count
    mean_y = sum(y for _, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
