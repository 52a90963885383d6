"""Measures the bars, both sides of each interleaved in one run, and says which are missed.

    make bench            five rounds, the short form
    make bench ROUNDS=15  the long form
    make bench SHIPPED=PYTHON    P3 with another interpreter, as the image's, that has the project
    make bench-litellm    P12 alone, beside LiteLLM's proxy

Every ratio stands beside an A/A control: the same comparison of the control with itself. A round
whose control lies outside 0.9 to 1.1 does not count and is repeated (`rounds.py`). Writes
Markdown, JSON and a plot. Needs `h2load` (Debian: nghttp2-client) and two cores.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from benchmarks import inside, load, wire
from benchmarks.bars import Bar, Series, bar, table
from benchmarks.beside_litellm import beside_litellm
from benchmarks.plot import plot


def main(rounds: int, out: Path, stock: Path | None, shipped: str, litellm: Path | None) -> int:
    """Measure, print, write; 0 whether or not every bar is reached."""
    if not load.available():
        print("h2load is missing (Debian: nghttp2-client)", file=sys.stderr)
        return 2
    began, busy = time.monotonic(), os.getloadavg()[0]
    costs: wire.Costs = {}
    if litellm:
        bars = beside_litellm(rounds, litellm, costs)
    else:
        bars = [
            *wire.hits(rounds, stock, shipped, costs),
            *wire.misses(rounds, costs),
            *wire.workers(rounds),
            *in_process(),
        ]
    head = (
        f"grpcio {version('grpcio')}, Python {sys.version.split()[0]}, {os.cpu_count()} cores,"
        f" load {busy:.1f} before and {os.getloadavg()[0]:.1f} after, {rounds} rounds,"
        f" {time.monotonic() - began:.0f} s"
    )
    median_costs = {name: statistics.median(seen) for name, seen in costs.items()}
    text = f"{head}\n\n{table(bars)}\n\n{costs_table(median_costs)}\n"
    print(text)
    out.mkdir(parents=True, exist_ok=True)
    (out / "bench.md").write_text(text)
    facts = {"head": head, "bars": [asdict(each) for each in bars], "costs": median_costs}
    (out / "bench.json").write_text(json.dumps(facts, indent=1))
    (out / "bench.svg").write_text(plot(bars, title=head))
    return 0


def in_process() -> list[Bar]:
    """What needs no wire: the short way alone, memory, lookups, start."""
    lane = [inside.lane_microseconds() for _ in range(3)]
    kept = inside.cache_growth()
    start, resident = inside.start_and_memory()
    rows = [
        bar("P15", "a kept decision with parsing, in process, microseconds", "<= 10", Series(lane)),
        bar(
            "P9",
            "1,000,000 kept conversations, two entries each, MB",
            "<= 400",
            Series([kept.megabytes]),
        ),
        bar("P9", "longest pause for garbage then, ms", "<= 100", Series([kept.longest_pause])),
        bar("P13", "start to serving, seconds", "<= 1.5", Series([start])),
        bar("P13", "resident memory of one idle worker, MB", "<= 120", Series([resident])),
    ]
    if shutil.which("redis-server"):
        lookups = [inside.lookup_microseconds() for _ in range(3)]
        what = "lookup in Redis, 32 at once, microseconds each"
        rows.append(bar("P10", what, "<= 15", Series(lookups)))
    else:
        print("redis-server is missing: P10 is not measured", file=sys.stderr)
    return rows


def costs_table(costs: dict[str, float]) -> str:
    """What `benchmarks.capacity` counts with."""
    rows = [f"| {name} | {cost:.0f} |" for name, cost in costs.items()]
    return "\n".join(["| a decision | processor time, µs |", "|---|---|", *rows])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("build/bench"))
    parser.add_argument("--stock", type=Path, help="an interpreter with stock gRPC, for P3")
    parser.add_argument("--shipped", default=sys.executable, help="the image's interpreter, for P3")
    parser.add_argument("--litellm", type=Path, help="LiteLLM's program: measure P12 alone")
    given = parser.parse_args()
    sys.exit(main(given.rounds, given.out, given.stock, given.shipped, given.litellm))
