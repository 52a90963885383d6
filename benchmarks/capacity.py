"""Scaling on paper: capacity and cost of a node and of a fleet with Redis.

    python -m benchmarks.capacity [--bench build/bench/bench.json] [--dollars-per-vcpu-hour 0.04]

Uses the processor time per decision that `make bench` measured on this machine, and the options as
assumptions: nothing here was run on a fleet. Writes Markdown and JSON beside the simulation.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.fleet import Setup
from benchmarks.simulate import DOLLARS_A_CALL
from benchmarks.trace import Shape

DOLLARS_A_VCPU_HOUR = 0.04
"""The approximate on-demand price of general-purpose nodes in large clouds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumed:
    """Assumptions that are not measured."""

    vcpus: int = 8
    """Of a node; a worker on each."""
    nodes: int = 100
    busy: float = 0.6
    """The planned share of a processor; the rest is for peaks and for failed nodes."""
    dollars_per_vcpu_hour: float = DOLLARS_A_VCPU_HOUR
    dollars_per_call: float = DOLLARS_A_CALL
    hit_rate: float = Shape().repeated
    redis_per_second: float = 100_000.0
    """Lookups and writes of one Redis, which serves all on one thread."""
    redis_per_decision: float = 1.4
    """As the simulation counts where conversations do not stay on one connection."""
    redis_microseconds: float = 20.0
    """Processor time of a worker for each of them (P10)."""
    redis_clients: int = 10_000
    """Redis's default `maxclients`."""
    pool: int = 8
    """`cache.max_connections` of a worker."""
    morph_in_flight: int = 128
    """`engines.morph.max_in_flight` of a worker."""
    morph_seconds: float = Setup(replicas=1).engine
    many_workers: float = 1.0
    """The cost of a decision beside other workers, as a multiple of the cost alone (P14)."""


@dataclass(frozen=True, slots=True)
class Carried:
    """Capacity, in decisions per second, and cost of one kind of decision."""

    way: str
    microseconds: float
    """Processor time a decision."""
    vcpu: float
    node: float
    fleet: float
    dollars_per_million: float
    """Of nodes."""
    engine_dollars_per_million: float
    """Of Morph."""


def carried(way: str, microseconds: float, assumed: Assumed, *, paid: float = 0.0) -> Carried:
    """`microseconds` alone on a processor; `paid`: share of the decisions that Morph makes."""
    spent = microseconds * assumed.many_workers
    vcpu = assumed.busy * 1e6 / spent
    return Carried(
        way,
        spent,
        vcpu,
        vcpu * assumed.vcpus,
        vcpu * assumed.vcpus * assumed.nodes,
        assumed.dollars_per_vcpu_hour / 3_600 / vcpu * 1e6,
        paid * assumed.dollars_per_call * 1e6,
    )


def ways(costs: Mapping[str, float], assumed: Assumed) -> list[Carried]:
    """Every way that was measured, and the mix that the published traffic makes of them.

    `costs`: processor time a decision in microseconds, by the names of `make bench`.
    """
    call, local, morph = (
        costs[name] for name in ("call", "decided by engine local", "decided by Morph")
    )
    kept, made = assumed.hit_rate, 1 - assumed.hit_rate
    redis = assumed.redis_per_decision * assumed.redis_microseconds
    share = f"{kept:.0%} cached"
    return [
        carried("cached, a call each", call, assumed),
        carried("cached, streams", costs["stream"], assumed),
        carried("cached, batches of 16", costs["batch of 16"], assumed),
        carried("made by engine local", local, assumed),
        carried(f"{share}, else engine local", kept * call + made * local, assumed),
        carried("the same with Redis", kept * call + made * local + redis, assumed),
        carried(
            f"{share} with Redis, else Morph",
            kept * call + made * morph + redis,
            assumed,
            paid=made,
        ),
        carried("made by Morph, nothing cached", morph, assumed, paid=1.0),
    ]


@dataclass(frozen=True, slots=True)
class Limit:
    """Something that ends growth, and where, in nodes."""

    what: str
    nodes: float
    then: str


def limits(mixed: Carried, assumed: Assumed) -> list[Limit]:
    """Limits of one Redis, nearest first, if every node is as busy as planned."""
    decisions = assumed.redis_per_second / assumed.redis_per_decision
    workers = assumed.redis_clients / assumed.pool
    found = [
        Limit(
            f"one Redis answers {assumed.redis_per_second:,.0f} commands a second:"
            f" {decisions:,.0f} decisions",
            decisions / mixed.node,
            "keep conversations on connections, raise `cache.recheck`, give each group of nodes a"
            " Redis",
        ),
        Limit(
            f"its `maxclients` of {assumed.redis_clients:,}: {workers:,.0f} workers with"
            f" {assumed.pool} connections each",
            workers / assumed.vcpus,
            "lower `cache.max_connections`, raise `maxclients`",
        ),
    ]
    return sorted(found, key=lambda limit: limit.nodes)


def report(costs: Mapping[str, float], assumed: Assumed, *, head: str) -> str:
    """Markdown."""
    rows = ways(costs, assumed)
    mixed = next(row for row in rows if row.way.endswith("with Redis"))
    published = Shape().requests / Shape().seconds
    asked = assumed.morph_in_flight / assumed.morph_seconds
    return f"""\
Counted from: {head}.

Assumed: nodes of {assumed.vcpus} vCPUs at ${assumed.dollars_per_vcpu_hour:g} a vCPU and hour, \
{assumed.busy:.0%} busy; beside other workers a decision costs {assumed.many_workers:.2f} times as \
much; Morph takes ${assumed.dollars_per_call * 1_000:g} a thousand; {assumed.hit_rate:.1%} cached; \
{assumed.redis_per_decision:g} commands to Redis a decision, {assumed.redis_microseconds:g} µs each.

Dollars are for a million decisions:

{carried_table(rows, assumed)}

{limits_table(limits(mixed, assumed), assumed)}

The traffic that was published, {published:.0f} a second, takes \
{published / mixed.vcpu:.1%} of the planned time of one vCPU.

A worker has at most {assumed.morph_in_flight} calls of Morph under way. At \
{assumed.morph_seconds:g} s each it asks {asked:,.0f} times a second: \
{asked / (1 - assumed.hit_rate):,.0f} decisions of the mix. What comes beyond is engine local's.
"""


def carried_table(rows: Sequence[Carried], assumed: Assumed) -> str:
    """A row a way."""
    nodes = f"{assumed.nodes} nodes"
    lines = [
        f"| decisions a second | µs each | a vCPU | a node | {nodes} | nodes, $ | Morph, $ |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.way} | {row.microseconds:.0f} | {row.vcpu:,.0f} | {row.node:,.0f} |"
        f" {row.fleet:,.0f} | {row.dollars_per_million:.4f} |"
        f" {row.engine_dollars_per_million:,.0f} |"
        for row in rows
    ]
    return "\n".join(lines)


def limits_table(found: Sequence[Limit], assumed: Assumed) -> str:
    """A row a limit."""
    lines = [f"| the next limit | at so many nodes of {assumed.vcpus} | then |", "|---|---|---|"]
    lines += [f"| {limit.what} | {limit.nodes:,.0f} | {limit.then} |" for limit in found]
    return "\n".join(lines)


def main() -> None:
    """Print the tables, write them."""
    standard = Assumed()
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--bench", type=Path, default=Path("build/bench/bench.json"))
    parser.add_argument("--out", type=Path, default=Path("build/simulation"))
    for name, value in asdict(standard).items():
        if name != "many_workers":
            option = "--" + name.replace("_", "-")
            parser.add_argument(option, type=type(value), default=value)
    given = vars(parser.parse_args())
    bench, out = given.pop("bench"), given.pop("out")
    if not bench.exists():
        parser.error(f"{bench} is missing: run `make bench`, or say where it is with --bench")
    measured = json.loads(bench.read_text())
    beside = next(row["measured"] for row in measured["bars"] if row["name"] == "P14")
    assumed = Assumed(**given, many_workers=max(1.0, beside or 1.0))
    text = report(measured["costs"], assumed, head=measured["head"])
    print(text)
    out.mkdir(parents=True, exist_ok=True)
    (out / "capacity.md").write_text(text)
    rows = [asdict(row) for row in ways(measured["costs"], assumed)]
    (out / "capacity.json").write_text(
        json.dumps({"assumed": asdict(assumed), "ways": rows}, indent=1)
    )


if __name__ == "__main__":
    main()
