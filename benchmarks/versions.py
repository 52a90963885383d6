"""Measure interpreters, versions of grpcio, event loops and pollers against each other.

    python -m benchmarks.versions STACKS.yaml [--rounds 5] [--requests 3000]

A stack is an interpreter with requirements/server.txt and this project, plus environment
variables; a version of grpcio is a folder in front of its path. All stacks are compared with the
first; a stack that is listed twice is the A/A control:

    - {name: locked, python: .venv/bin/python}
    - {name: asyncio, python: .venv/bin/python, environment: {POINTSMAN_EVENT_LOOP: asyncio}}
    - {name: grpcio 1.85.1, python: .venv/bin/python,
       environment: {PYTHONPATH: build/grpcio-1.85.1}}
    - {name: locked again, python: .venv/bin/python}

    pip install --no-deps --target build/grpcio-1.85.1 grpcio==1.85.1

Every stack serves the bare echo and cached decisions, all at once and on one core; a round loads
one after the other, 64 in flight, and the next round in the opposite order. Prints medians of
the rounds: throughput as a ratio to the first stack's in the same round, with its extremes, and the
microseconds of processor time that a call takes, which say more on a busy machine.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from benchmarks import load, servers

SERVER_CORE, LOAD_CORE = 0, 1
IN_FLIGHT = 64


@dataclass(frozen=True)
class Stack:
    """A stack: an interpreter and its environment."""

    name: str
    python: str
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Seen:
    """Results of one server."""

    per_second: list[float] = field(default_factory=list)
    microseconds: list[float] = field(default_factory=list)
    """Processor time of one call."""


def measure(stacks: Sequence[Stack], *, rounds: int, requests: int) -> dict[str, tuple[Seen, Seen]]:
    """Results of each stack for the echo and for cached decisions, by name."""
    seen = {stack.name: (Seen(), Seen()) for stack in stacks}
    with contextlib.ExitStack() as running:
        sides = [
            (running.enter_context(server), seen[stack.name][place])
            for stack in stacks
            for place, server in enumerate(serving(stack))
        ]
        for server, _ in sides:
            ask(server, Seen(), requests)
        for number in range(rounds):
            for server, told in sides if number % 2 == 0 else reversed(sides):
                ask(server, told, requests)
    return seen


def serving(stack: Stack) -> list[contextlib.AbstractContextManager[servers.Running]]:
    """The echo and the service on this stack."""
    return [
        start(
            stack.name, core=SERVER_CORE, python=stack.python, environment=dict(stack.environment)
        )
        for start in (servers.echo, servers.pointsman)
    ]


def ask(server: servers.Running, seen: Seen, requests: int) -> None:
    """One burst."""
    before = server.cpu_nanoseconds()
    told = load.run(server.port, requests=requests, in_flight=IN_FLIGHT, core=LOAD_CORE)
    seen.per_second.append(told.per_second)
    seen.microseconds.append((server.cpu_nanoseconds() - before) / requests / 1e3)


def table(seen: Mapping[str, tuple[Seen, Seen]]) -> str:
    """The stacks in Markdown."""
    first = next(iter(seen.values()))
    rows = ["| stack | echo | CPU, µs | cached decision | CPU, µs |", "|---|---|---|---|---|"]
    for name, sides in seen.items():
        cells = [
            f"{ratios(side, to)} | {statistics.median(side.microseconds):.0f}"
            for side, to in zip(sides, first, strict=True)
        ]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(rows)


def ratios(side: Seen, to: Seen) -> str:
    """Its throughput in each round to that of the other: median, lowest, highest."""
    each = [mine / other for mine, other in zip(side.per_second, to.per_second, strict=True)]
    return f"{statistics.median(each):.2f} [{min(each):.2f}, {max(each):.2f}]"


def main() -> None:
    """Read the stacks, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("stacks", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=3_000)
    given = parser.parse_args()
    stacks = [Stack(**each) for each in yaml.safe_load(given.stacks.read_text())]
    seen = measure(stacks, rounds=given.rounds, requests=given.requests)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {given.rounds} rounds\n")
    print(table(seen))


if __name__ == "__main__":
    main()
