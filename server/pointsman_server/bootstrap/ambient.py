"""The world that the core asks for: time, randomness, the environment."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pointsman_server.core.ports import Clock


class SystemClock:
    """The machine's clocks."""

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def time(self) -> float:
        """Seconds since the epoch."""
        return time.time()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ambient:
    """Inputs from outside; tests pass their own and get the same wiring."""

    clock: Clock = field(default_factory=SystemClock)
    random: Callable[[], float] = random.random
    """Uniform in [0, 1); draws samples, guards nothing."""
    entropy: Callable[[int], bytes] = os.urandom
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
