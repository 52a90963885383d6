"""Measures the bars, both sides of each interleaved in one run, and says which are missed.

    make bench            five rounds, about three minutes
    make bench ROUNDS=15  more rounds

Every ratio stands beside an A/A control: the same comparison of the control with itself. A round
whose control lies outside 0.9 to 1.1 is repeated, since it says more about the machine than
about the server. Needs `h2load` (Debian: nghttp2-client) and two cores.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

from benchmarks import inside, load, servers

SERVER_CORE, LOAD_CORE = 0, 1
HIGHEST_TRIES = 3


@dataclass(frozen=True)
class Bar:
    """One bar, what was measured, and the A/A control where there is one."""

    name: str
    what: str
    bar: str
    measured: float
    low: float
    high: float
    reached: bool
    control: float | None = None


def main(rounds: int, out: Path) -> int:
    """Measure, print, write; 0 whether or not every bar is reached."""
    if not load.available():
        print("h2load is missing (Debian: nghttp2-client)", file=sys.stderr)
        return 2
    bars = [*over_the_wire(rounds), *in_process()]
    head = (
        f"grpcio {version('grpcio')}, Python {sys.version.split()[0]}, {os.cpu_count()} cores,"
        f" load {os.getloadavg()[0]:.1f}, {rounds} rounds"
    )
    text = f"{head}\n\n{table(bars)}\n"
    print(text)
    out.mkdir(parents=True, exist_ok=True)
    (out / "bench.md").write_text(text)
    (out / "bench.json").write_text(json.dumps({"head": head, "bars": [asdict(b) for b in bars]}))
    return 0


def over_the_wire(rounds: int) -> list[Bar]:
    """Throughput and latency against a bare echo of the same stack."""
    decided = load.request()
    decided.dry_run = True
    fresh = load.call(decided)
    with (
        servers.echo("echo", core=SERVER_CORE) as echo,
        servers.pointsman("pointsman", core=SERVER_CORE) as ours,
        servers.echo("echo again", core=SERVER_CORE) as again,
    ):
        ports = (echo.port, ours.port, again.port)

        def side(in_flight: int, pick: Callable[[load.Load], float]) -> Bar3:
            return compare(
                rounds,
                ports,
                lambda port: pick(burst(port, in_flight, 6_000 if in_flight > 1 else 1_500)),
            )

        for port in ports:
            burst(port, 64, 3_000)
        hit = side(64, lambda seen: seen.per_second)
        alone = side(1, lambda seen: seen.p50)
        crowd = side(32, lambda seen: seen.p99)
        misses = [
            burst(ours.port, 64, 2_000, body=fresh).per_second
            / burst(ours.port, 64, 2_000).per_second
            for _ in range(rounds)
        ]
        streamed, batched = shared(rounds, ours.port)
    return [
        bar("P1", "cached, all on, 1 % logged / bare echo, decisions a second", ">= 0.75", hit),
        bar("P4", "8 clients, a stream each / 64 calls in flight, decisions", ">= 1.8", streamed),
        bar("P5", "batches of 16 / 64 calls in flight, decisions a second", ">= 5", batched),
        bar("P6", "p50, 1 in flight / bare echo", "<= 1.2", alone),
        bar("P6", "p99, 32 in flight / bare echo", "<= 1.6", crowd),
        bar("P7", "decided by engine local / cached, decisions a second", ">= 0.4", (misses, None)),
    ]


Bar3 = tuple[list[float], list[float] | None]


def shared(rounds: int, port: int) -> tuple[Bar3, Bar3]:
    """Kept decisions that share a call, by the stream and by the batch, against our own calls."""
    stream, batch = load.stream(port, decisions=500), load.batch(decisions=16)

    def calls() -> float:
        return burst(port, 64, 6_000).per_second

    def streams() -> float:
        return burst(port, 1, 16, body=stream, clients=8).per_second

    def batches() -> float:
        return burst(port, 64, 1_500, body=batch).per_second

    return (
        compare(rounds, (calls, streams, calls), lambda side: side()),
        compare(rounds, (calls, batches, calls), lambda side: side()),
    )


Side = TypeVar("Side")


def compare(rounds: int, sides: tuple[Side, Side, Side], measure: Callable[[Side], float]) -> Bar3:
    """Ratios of the middle side to the outer ones, and of those to each other.

    The order turns every round.
    """
    ratios, controls = [], []
    for number in range(rounds):
        for _ in range(HIGHEST_TRIES):
            order = (0, 1, 2) if number % 2 == 0 else (2, 1, 0)
            seen = {each: measure(sides[each]) for each in order}
            control = seen[2] / seen[0]
            if 0.9 <= control <= 1.1:
                break
        controls.append(control)
        ratios.append(seen[1] / statistics.mean((seen[0], seen[2])))
    return ratios, controls


def burst(
    port: int, in_flight: int, requests: int, *, body: load.Body | None = None, clients: int = 1
) -> load.Load:
    """One burst from the other core."""
    return load.run(
        port,
        requests=requests,
        in_flight=in_flight,
        core=LOAD_CORE,
        body=body,
        clients=clients,
    )


def in_process() -> list[Bar]:
    """What needs no wire: the short way alone, memory, start."""
    lane = [inside.lane_microseconds() for _ in range(3)]
    growth = inside.cache_megabytes()
    start, resident = inside.start_and_memory()
    return [
        bar("P15", "a kept decision with parsing, in process, microseconds", "<= 10", (lane, None)),
        bar("P9", "1,000,000 kept conversations, MB", "<= 400", ([growth], None)),
        bar("P13", "start to serving, seconds", "<= 1.5", ([start], None)),
        bar("P13", "resident memory of one idle worker, MB", "<= 120", ([resident], None)),
    ]


def bar(name: str, what: str, limit: str, values: Bar3) -> Bar:
    """One row."""
    seen, controls = values
    median = statistics.median(seen)
    sign, number = limit.split()
    reached = median >= float(number) if sign == ">=" else median <= float(number)
    control = statistics.median(controls) if controls else None
    return Bar(name, what, limit, median, min(seen), max(seen), reached, control)


def table(bars: list[Bar]) -> str:
    """The bars in Markdown."""
    rows = ["| # | what | bar | median | min | max | A/A | |", "|---|---|---|---|---|---|---|---|"]
    for each in bars:
        control = "" if each.control is None else f"{each.control:.2f}"
        verdict = "reached" if each.reached else "**missed**"
        rows.append(
            f"| {each.name} | {each.what} | {each.bar} | {each.measured:.2f} | {each.low:.2f} |"
            f" {each.high:.2f} | {control} | {verdict} |"
        )
    return "\n".join(rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("build/bench"))
    arguments = parser.parse_args()
    sys.exit(main(arguments.rounds, arguments.out))
