"""Shares of a bounded resource, and the call that the current task works for."""

from __future__ import annotations

from contextvars import ContextVar
from math import inf
from typing import NamedTuple


class Work(NamedTuple):
    """The caller of the decision in this context, and its deadline."""

    caller: str | None = None
    """The name of the call's token or certificate, otherwise its connection. Schedulers and limits
    share by it; it reaches no metric, log or cache."""
    due: float = inf
    """The caller's deadline on the monotonic clock."""


WORK: ContextVar[Work] = ContextVar("work", default=Work())  # noqa: B039  (immutable)

ALPHA = 4
"""Places that a caller may hold for each free one."""


class FairShare:
    """Places of a bounded resource, shared by dynamic thresholds.

    A caller gets a place while it holds fewer than `ALPHA` times as many as are free (Choudhury and
    Hahne, "Dynamic Queue Length Thresholds for Shared-Memory Packet Switches", 1998). One caller
    alone gets four fifths of the places; n greedy callers leave one place in 4n + 1 free, so the
    next caller still finds some. A caller that is not known (`None`) has no share, only the limit.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: dict[str | None, int] = {}
        self.taken = 0
        """Places in use."""

    def take(self, caller: str | None) -> bool:
        """Take a place for `caller`; return `False` if its share is used up."""
        held = self._held.get(caller, 0)
        free = self._limit - self.taken
        if free <= 0 or (caller is not None and held >= ALPHA * free):
            return False
        self.add(caller)
        return True

    def add(self, caller: str | None) -> None:
        """Take a place for `caller` beyond the limit, for one that replaces another caller."""
        self._held[caller] = self._held.get(caller, 0) + 1
        self.taken += 1

    def leave(self, caller: str | None) -> None:
        """Return one place of `caller`."""
        held = self._held[caller]
        if held == 1:
            del self._held[caller]
        else:
            self._held[caller] = held - 1
        self.taken -= 1
