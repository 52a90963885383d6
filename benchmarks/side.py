"""One side of a comparison over the wire: a server on one core, bursts of h2load from the other."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field, replace

from benchmarks import load, servers
from benchmarks.bars import Busy, Series, least_sure

SERVER_CORE, LOAD_CORE = 0, 1


@dataclass(slots=True)
class Side:
    """A repeated burst, and its cost for the server."""

    server: servers.Running
    requests: int
    in_flight: int = 64
    body: load.Body | None = None
    clients: int = 1
    sent: int = 0
    costs: list[float] = field(default_factory=list)
    """Processor time of each burst, in microseconds a decision."""
    busy: list[Busy] = field(default_factory=list)
    """During each burst."""

    def run(self) -> load.Load:
        """One burst from the other core."""
        before = self.server.cpu_seconds()
        self.sent += self.requests
        seen = load.run(
            self.server.port,
            requests=self.requests,
            in_flight=self.in_flight,
            core=LOAD_CORE,
            body=self.body,
            clients=self.clients,
        )
        decisions = seen.requests * (self.body.decisions if self.body else 1)
        spent = self.server.cpu_seconds() - before
        self.costs.append(spent / decisions * 1e6)
        self.busy.append(Busy(spent / seen.seconds, seen.spent / seen.seconds))
        return seen

    def per_second(self) -> float:
        """Decisions."""
        return self.run().per_second

    def p50(self) -> float:
        """Microseconds."""
        return self.run().p50

    def p99(self) -> float:
        """Microseconds."""
        return self.run().p99

    def cost(self) -> float:
        """Microseconds of processor time a decision."""
        self.run()
        return self.costs[-1]


Costs = dict[str, list[float]]
"""Processor time in microseconds a decision, by the kind of decision."""


def limited_by(series: Series, *sides: Side) -> Series:
    """The series, telling whether servers or the generator were the limit of the sides it compares.

    Of each side counts its median burst, and of the sides the one that is the least sure.
    """
    typical = [
        Busy(
            statistics.median(burst.server for burst in side.busy),
            statistics.median(burst.load for burst in side.busy),
        )
        for side in sides
    ]
    return replace(series, busy=least_sure(typical))
