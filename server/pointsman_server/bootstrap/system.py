"""The world that the core asks for: time, randomness, the environment."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pointsman_server.bootstrap.secrets import KnownSecrets
from pointsman_server.core.ports import Clock


class SystemClock:
    """The machine's clocks, as they are: they are read several times in every call."""

    monotonic = staticmethod(time.monotonic)
    time = staticmethod(time.time)


class Entropy:
    """Random bytes from the system, fetched a page at a time.

    A system call costs as much as the key of a cached decision. A process that forks makes another.
    """

    PAGE = 4_096

    def __init__(self) -> None:
        self._page = b""
        self._used = 0

    def __call__(self, count: int) -> bytes:
        """`count` bytes that nobody had before."""
        start = self._used
        if start + count > len(self._page):
            self._page, start = os.urandom(self.PAGE), 0
        self._used = start + count
        return self._page[start : self._used]


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemResources:
    """Inputs from outside; tests pass their own and get the same wiring."""

    clock: Clock = field(default_factory=SystemClock)
    random: Callable[[], float] = random.random
    """Uniform in [0, 1); draws samples, guards nothing."""
    entropy: Callable[[int], bytes] = field(default_factory=Entropy)
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    secrets: KnownSecrets = field(default_factory=KnownSecrets)
    """Secrets that no log line may contain."""
