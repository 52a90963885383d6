"""Measures the bars, both sides of each interleaved in one run, and says which are missed.

    make bench            five rounds, the short form: under three minutes
    make bench ROUNDS=15  the long form, however long it takes
    make bench SHIPPED=PYTHON    P3 with another interpreter, as the image's, that has the project
    make bench-litellm    P12 alone, beside LiteLLM's proxy; `make bench` then shows it

Every ratio stands beside an A/A control: the same comparison of the control with itself. A round
whose control lies outside 0.9 to 1.1 does not count and is repeated (`rounds.py`). Where throughput
is compared, "server busy" and "load busy" say which of them was the limit: the processor time of
the server and of the generator as shares of the time that a burst took, on the side where that is
least sure. Writes Markdown, JSON and a plot. Needs `h2load` (Debian: nghttp2-client) and two cores.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import statistics
import sys
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from benchmarks import beside_litellm, inside, load, wire
from benchmarks.bars import Bar, Series, bar, table, unmeasured
from benchmarks.plot import plot
from benchmarks.rounds import Rounds
from benchmarks.side import Costs

SHORT_ROUNDS, SHORT_SECONDS = 5, 165.0
"""The short form. Under three minutes, including the stop of the last servers."""


def main(given: argparse.Namespace) -> int:
    """Measure, print, write; 0 whether or not every bar is reached."""
    if not load.available():
        print("h2load is missing (Debian: nghttp2-client)", file=sys.stderr)
        return 2
    began, busy = time.monotonic(), os.getloadavg()[0]
    rounds = Rounds(
        given.rounds or SHORT_ROUNDS,
        seconds=math.inf if given.rounds else SHORT_SECONDS,
        sides=beside_litellm.SIDES if given.litellm else wire.SIDES,
    )
    costs: Costs = {}
    bars = measured(rounds, costs, given)
    head = (
        f"{time.strftime('%Y-%m-%d')}, grpcio {version('grpcio')},"
        f" Python {sys.version.split()[0]}, {os.cpu_count()} cores,"
        f" load {busy:.1f} before and {os.getloadavg()[0]:.1f} after, {rounds.wanted} rounds,"
        f" {time.monotonic() - began:.0f} s"
    )
    median_costs = {name: statistics.median(seen) for name, seen in costs.items()}
    text = f"{head}\n\n{table(bars)}\n\n{costs_table(median_costs)}\n"
    print(text)
    out: Path = given.out
    out.mkdir(parents=True, exist_ok=True)
    (out / "bench.md").write_text(text)
    facts = {"head": head, "bars": [asdict(each) for each in bars], "costs": median_costs}
    (out / "bench.json").write_text(json.dumps(facts, indent=1))
    (out / "bench.svg").write_text(plot(bars, title=head))
    return 0


def measured(rounds: Rounds, costs: Costs, given: argparse.Namespace) -> list[Bar]:
    """Every bar in its order, or P12 alone."""
    if given.litellm:
        return beside_litellm.measure(rounds, given.litellm, costs)
    apart = beside_litellm.last_measured(given.beside_litellm)
    bars = [
        *in_process(),  # first: rounds share the remaining time
        *wire.hits(rounds, given.stock, given.shipped, costs),
        *wire.misses(rounds, costs),
        wire.semantic(rounds, costs),
        *wire.workers(rounds),
        *apart,
    ]
    return sorted(bars, key=lambda each: int(each.name.removeprefix("P")))


def in_process() -> list[Bar]:
    """Rows without a network: the fast path alone, memory, lookups, start."""
    fast_path = [inside.fast_path_microseconds() for _ in range(3)]
    kept = inside.cache_growth()
    start, resident = inside.start_and_memory()
    what = "lookup in Redis, 32 at once, microseconds each"
    if shutil.which("redis-server"):
        redis = bar("P10", what, "<= 15", Series([inside.lookup_microseconds() for _ in range(3)]))
    else:
        redis = unmeasured("P10", what, "<= 15", "`redis-server`")
    return [
        redis,
        bar(
            "P15",
            "a cached decision with parsing, in process, microseconds",
            "<= 10",
            Series(fast_path),
        ),
        bar(
            "P9",
            "1,000,000 cached conversations, two entries each, MB",
            "<= 400",
            Series([kept.megabytes]),
        ),
        bar("P9", "longest pause for garbage then, ms", "<= 100", Series([kept.longest_pause])),
        bar("P13", "start to serving, seconds", "<= 1.5", Series([start])),
        bar("P13", "resident memory of one idle worker, MB", "<= 120", Series([resident])),
    ]


def costs_table(costs: dict[str, float]) -> str:
    """Inputs of `benchmarks.capacity`."""
    rows = [f"| {name} | {cost:.0f} |" for name, cost in costs.items()]
    return "\n".join(["| a decision | processor time, µs |", "|---|---|", *rows])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, help="the long form; else five, and a limit of time")
    parser.add_argument("--out", type=Path, default=Path("build/bench"))
    parser.add_argument("--stock", type=Path, help="an interpreter with stock gRPC, for P3")
    parser.add_argument("--shipped", default=sys.executable, help="the image's interpreter, for P3")
    parser.add_argument("--litellm", type=Path, help="LiteLLM's program: measure P12 alone")
    parser.add_argument(
        "--beside-litellm",
        type=Path,
        default=Path("build/bench-litellm/bench.json"),
        help="result of the last run with --litellm, to show its rows",
    )
    sys.exit(main(parser.parse_args()))
