"""What a running process takes of its machine, read from `/proc`."""

from __future__ import annotations

import re
from collections.abc import Sequence
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
        descriptors = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        return cls(_status(pid, "VmRSS") * 1024, descriptors, _status(pid, "Threads"))

    @property
    def megabytes(self) -> float:
        return self.rss / MB


class Peak:
    """The most resident memory that process `pid` had at any moment since this began, in bytes.

    The kernel keeps it (`VmHWM`, set back by `clear_refs`; proc(5)), so no peak is too short.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._before = Taken.by(pid).rss
        Path(f"/proc/{pid}/clear_refs").write_text("5")

    @property
    def growth(self) -> int:
        """By how much memory grew at most."""
        return _status(self._pid, "VmHWM") * 1024 - self._before

    @property
    def left(self) -> int:
        """By how much it is larger."""
        return Taken.by(self._pid).rss - self._before


def _status(pid: int, name: str) -> int:
    """A number of `/proc/PID/status`; memory is in KiB."""
    found = re.search(rf"^{name}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None, name
    return int(found[1])


def slope(points: Sequence[tuple[float, float]]) -> float:
    """The least-squares slope of y over x."""
    count = len(points)
    mean_x = sum(x for x, _ in points) / count
    mean_y = sum(y for _, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
