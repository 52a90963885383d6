"""Measures the bars, both sides of each interleaved in one run, and says which are missed.

    make bench            five rounds, about six minutes
    make bench ROUNDS=15  more rounds

Every ratio stands beside an A/A control: the same comparison of the control with itself. A round
whose control lies outside 0.9 to 1.1 is repeated, since it says more about the machine than
about the server. Needs `h2load` (Debian: nghttp2-client) and two cores.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

from benchmarks import inside, load, servers

SERVER_CORE, LOAD_CORE = 0, 1
LAST_SPANS = 3.0
"""Seconds that the last spans get to arrive."""
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


def main(rounds: int, out: Path, stock: Path | None) -> int:
    """Measure, print, write; 0 whether or not every bar is reached."""
    if not load.available():
        print("h2load is missing (Debian: nghttp2-client)", file=sys.stderr)
        return 2
    bars = [*over_the_wire(rounds, stock), *misses(rounds), *in_process()]
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


def over_the_wire(rounds: int, stock: Path | None) -> list[Bar]:
    """Throughput and latency of kept decisions against a bare echo of the same stack."""
    with contextlib.ExitStack() as stack:
        started = stack.enter_context
        sink = started(servers.span_sink(core=LOAD_CORE))
        echo = started(servers.echo("echo", core=SERVER_CORE)).port
        ours = started(servers.pointsman("pointsman", core=SERVER_CORE)).port
        traced = started(servers.traced("traced", sink=sink.port, core=SERVER_CORE)).port
        again = started(servers.echo("echo again", core=SERVER_CORE)).port
        bare = started(servers.stock(stock, core=SERVER_CORE)).port if stock else None
        sent = 0

        def side(server: int, in_flight: int, pick: Callable[[load.Load], float]) -> Bar3:
            return compare(
                rounds, (echo, server, again), lambda port: pick(counted(port, in_flight))
            )

        def counted(port: int, in_flight: int) -> load.Load:
            nonlocal sent
            requests = 6_000 if in_flight > 1 else 1_500
            sent += requests if port == traced else 0
            return burst(port, in_flight, requests)

        for port in (echo, ours, traced, again):
            counted(port, 64)
        hit = side(ours, 64, lambda seen: seen.per_second)
        recorded = side(traced, 64, lambda seen: seen.per_second)
        alone = side(ours, 1, lambda seen: seen.p50)
        crowd = side(ours, 32, lambda seen: seen.p99)
        streamed, batched = shared(rounds, ours)
        shipped = [
            burst(ours, 64, 6_000).per_second / burst(bare, 64, 6_000).per_second
            for _ in range(rounds if bare else 0)
            if bare
        ]
        time.sleep(LAST_SPANS)
        arrived = sink.count() / sent
    rows = [
        bar("P1", "cached, all on, 1 % logged / bare echo, decisions a second", ">= 0.75", hit),
        bar("P2", "the same with a span for every call", ">= 0.6", recorded),
        bar("P2", "its spans that arrive at the collector", ">= 1", ([arrived], None)),
    ]
    if shipped:
        rows.append(bar("P3", "cached / stock echo, decisions a second", ">= 1.3", (shipped, None)))
    return [
        *rows,
        bar("P4", "8 clients, a stream each / 64 calls in flight, decisions", ">= 1.8", streamed),
        bar("P5", "batches of 16 / 64 calls in flight, decisions a second", ">= 5", batched),
        bar("P6", "p50, 1 in flight / bare echo", "<= 1.2", alone),
        bar("P6", "p99, 32 in flight / bare echo", "<= 1.6", crowd),
    ]


def misses(rounds: int) -> list[Bar]:
    """What a decision costs that has to be made, by each engine, against a kept one."""
    decided = load.request()
    # Nothing is kept of a dry run, and no two share a call.
    decided.dry_run = True
    fresh = load.call(decided)
    with (
        servers.morph("morph", core=LOAD_CORE) as morph,
        servers.pointsman("local", core=SERVER_CORE) as local,
        servers.asking_morph("asking", port=morph.port, core=SERVER_CORE) as asking,
    ):

        def share(port: int) -> float:
            missed = burst(port, 64, 2_000, body=fresh).per_second
            return missed / burst(port, 64, 4_000).per_second

        for port in (local.port, asking.port):
            share(port)
        by_local = [share(local.port) for _ in range(rounds)]
        by_morph = [share(asking.port) for _ in range(rounds)]
        added = [
            burst(asking.port, 1, 800, body=fresh).p50 - burst(asking.port, 1, 800).p50
            for _ in range(rounds)
        ]
    return [
        bar("P7", "decided by engine local / cached", ">= 0.4", (by_local, None)),
        bar("P8", "decided by Morph (an instant endpoint) / cached", ">= 0.3", (by_morph, None)),
        bar("P8", "p50 that Morph adds, 1 in flight, microseconds", "<= 450", (added, None)),
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
    """What needs no wire: the short way alone, memory, lookups, start."""
    lane = [inside.lane_microseconds() for _ in range(3)]
    kept = inside.cache_growth()
    start, resident = inside.start_and_memory()
    rows = [
        bar("P15", "a kept decision with parsing, in process, microseconds", "<= 10", (lane, None)),
        bar("P9", "1,000,000 kept conversations, MB", "<= 400", ([kept.megabytes], None)),
        bar("P9", "longest pause for garbage then, ms", "<= 100", ([kept.longest_pause], None)),
        bar("P13", "start to serving, seconds", "<= 1.5", ([start], None)),
        bar("P13", "resident memory of one idle worker, MB", "<= 120", ([resident], None)),
    ]
    if shutil.which("redis-server"):
        lookups = [inside.lookup_microseconds() for _ in range(3)]
        what = "lookup in Redis, 32 at once, microseconds each"
        rows.append(bar("P10", what, "<= 15", (lookups, None)))
    else:
        print("redis-server is missing: P10 is not measured", file=sys.stderr)
    return rows


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
    parser.add_argument("--stock", type=Path, help="an interpreter with stock gRPC, for P3")
    arguments = parser.parse_args()
    sys.exit(main(arguments.rounds, arguments.out, arguments.stock))
