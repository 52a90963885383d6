"""Simulate hit rates and engine calls of 1 to 1,000 replicas, and the cost of outages.

    python -m benchmarks.simulate [--stickiness conversation] [--seed 1] [--out build/simulation]

Plays `trace.py`'s ten minutes to fleets of `fleet.py`, which start empty, in virtual time: nothing
is measured, and the same seed prints the same tables. A worker of `pointsman serve --workers`
counts as a replica. Writes Markdown and JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.fleet import Seen, Setup, Trouble, serve
from benchmarks.trace import Ask, Shape, make_trace

REPLICAS = (1, 2, 4, 10, 30, 100, 300, 1_000)
WAYS = {
    "any replica, memory": (False, False),
    "any replica, Redis": (False, True),
    "one connection, memory": (True, False),
    "one connection, Redis": (True, True),
}
"""Name: whether a conversation stays on one connection, whether decisions are shared."""
RECHECKS = (0.0, 1.0, 10.0, 60.0)
TROUBLED = 10
"""Replicas of the fleets that are troubled."""
STRUCK, OVER, WATCHED = 300.0, 360.0, 120.0
"""When trouble begins, when an outage ends, and for how long its cost is counted, in seconds."""
DOLLARS_A_CALL = 0.005
"""Morph's price of a decision (its price list: $5 per thousand)."""


@dataclass(frozen=True, slots=True)
class Row:
    """Results of one fleet."""

    setup: Setup
    seen: Seen
    trouble: str = ""

    def facts(self, price: float) -> dict[str, object]:
        """For programs."""
        seen, setup = self.seen, self.setup
        return {
            "trouble": self.trouble,
            "replicas": setup.replicas,
            "affinity": setup.affinity,
            "shared": setup.shared,
            "recheck": setup.recheck,
            "hit_rate": seen.hit_rate,
            "engine_calls": len(seen.called),
            "shared_calls": seen.shared_calls,
            "changes": len(seen.changed),
            "store_commands_per_decision": seen.store_commands / seen.requests,
            "busiest": seen.busiest,
            "dollars_per_million": (1 - seen.hit_rate) * price * 1e6,
        }


async def sizes(trace: Sequence[Ask], base: Setup, seed: int) -> list[Row]:
    """Every way at every size."""
    setups = [
        replace(base, replicas=count, affinity=affinity, shared=shared)
        for count in REPLICAS
        for affinity, shared in WAYS.values()
    ]
    return [Row(setup, await serve(trace, setup, seed=seed)) for setup in setups]


async def rechecks(trace: Sequence[Ask], base: Setup, seed: int) -> list[Row]:
    """Store commands that the first level saves."""
    setups = [
        replace(base, replicas=TROUBLED, shared=True, affinity=affinity, recheck=recheck)
        for recheck in RECHECKS
        for affinity in (False, True)
    ]
    return [Row(setup, await serve(trace, setup, seed=seed)) for setup in setups]


def troubles() -> dict[str, list[Trouble]]:
    """Events in the life of a fleet."""
    away = Trouble(at=STRUCK, store_away=True)
    return {
        "nothing": [],
        "one replica of ten dies": [Trouble(at=STRUCK, dead=(0,))],
        "all are replaced at once": [Trouble(at=STRUCK, dead=range(TROUBLED))],
        "Redis is away for a minute": [away, Trouble(at=OVER, store_back=True)],
        "the same, and comes back empty": [
            away,
            Trouble(at=OVER, store_back=True, store_lost=True),
        ],
        "both: all replaced while it is away": [
            away,
            Trouble(at=STRUCK, dead=range(TROUBLED)),
            Trouble(at=OVER, store_back=True),
        ],
    }


async def outages(trace: Sequence[Ask], base: Setup, seed: int) -> list[Row]:
    """Every trouble that can befall each way."""
    return [
        Row(setup, await serve(trace, setup, seed=seed, troubles=happening), name)
        for name, happening in troubles().items()
        for affinity, shared in WAYS.values()
        if shared or not any(trouble.store_away for trouble in happening)
        for setup in [replace(base, replicas=TROUBLED, affinity=affinity, shared=shared)]
    ]


def sizes_table(rows: Sequence[Row], price: float) -> str:
    """Hit rates and Morph's bill over the number of replicas, a column a way."""
    lines = [
        "| replicas | " + " | ".join(WAYS) + " |",
        "|---|" + "---|" * len(WAYS),
    ]
    for count in REPLICAS:
        cells = [
            f"{row.seen.hit_rate:.1%}, {len(row.seen.called):,},"
            f" ${(1 - row.seen.hit_rate) * price * 1e6:,.0f}"
            for row in rows
            if row.setup.replicas == count
        ]
        lines.append(f"| {count:,} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def load_table(rows: Sequence[Row]) -> str:
    """The evenness of the load."""
    lines = ["| replicas | any replica | one connection |", "|---|---|---|"]
    for count in REPLICAS:
        uneven = {
            row.setup.affinity: row.seen.busiest
            for row in rows
            if row.setup.replicas == count and not row.setup.shared
        }
        lines.append(f"| {count:,} | {uneven[False]:.2f} | {uneven[True]:.2f} |")
    return "\n".join(lines)


def rechecks_table(rows: Sequence[Row]) -> str:
    """Commands to the store a decision."""
    lines = ["| `cache.recheck` | any replica | one connection |", "|---|---|---|"]
    for recheck in RECHECKS:
        cells = [
            f"{row.seen.store_commands / row.seen.requests:.2f}"
            for row in rows
            if row.setup.recheck == recheck
        ]
        lines.append(f"| {recheck:g} s | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def outages_table(rows: Sequence[Row]) -> str:
    """Engine calls in the two minutes from when trouble begins, and answers that changed in all."""
    lines = [
        f"| at {STRUCK:.0f} s | " + " | ".join(WAYS) + " |",
        "|---|" + "---|" * len(WAYS),
    ]
    for name in troubles():
        cells = {
            (row.setup.affinity, row.setup.shared): f"{_watched(row.seen)},"
            f" {len(row.seen.changed):,}"
            for row in rows
            if row.trouble == name
        }
        lines.append(f"| {name} | " + " | ".join(cells.get(w, "-") for w in WAYS.values()) + " |")
    return "\n".join(lines)


def _watched(seen: Seen) -> str:
    return f"{sum(STRUCK <= at < STRUCK + WATCHED for at in seen.called):,}"


async def report(shape: Shape, base: Setup, *, seed: int, price: float) -> tuple[str, str]:
    """Everything, as Markdown and as JSON."""
    trace = make_trace(shape, seed=seed)
    grown = await sizes(trace, base, seed)
    checked = await rechecks(trace, base, seed)
    struck = await outages(trace, base, seed)
    conversations = len({ask.conversation for ask in trace})
    head = (
        f"{shape.requests:,} requests in {shape.seconds:,.0f} s, {shape.inputs:,} inputs"
        f" ({shape.repeated:.1%} repeated), {conversations:,} conversations;"
        f" stickiness `{base.stickiness}`, a call of the engine takes {base.engine:g} s,"
        f" decisions live {base.ttl / 60:g} min; seed {seed}."
    )
    parts = {
        head: "",
        "Hit rate, engine calls, and Morph's price of a million decisions:": sizes_table(
            grown, price
        ),
        "Requests of the busiest replica, as a multiple of a fair share"
        f" ({base.connections} connections):": load_table(grown),
        f"Commands to Redis a decision, {TROUBLED} replicas:": rechecks_table(checked),
        f"Engine calls in the {WATCHED:g} s from when trouble begins, and answers that changed"
        f" in all ten minutes, {TROUBLED} replicas:": outages_table(struck),
    }
    text = "\n".join(
        f"{title}\n\n{table}\n" if table else f"{title}\n" for title, table in parts.items()
    )
    facts = [row.facts(price) for row in (*grown, *checked, *struck)]
    return text, json.dumps({"seed": seed, "stickiness": base.stickiness, "rows": facts}, indent=1)


def main() -> None:
    """Print the tables, write them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stickiness", choices=("exact", "conversation"), default="exact")
    parser.add_argument("--engine-seconds", type=float, default=Setup(replicas=1).engine)
    parser.add_argument("--dollars-per-call", type=float, default=DOLLARS_A_CALL)
    parser.add_argument("--out", type=Path, default=Path("build/simulation"))
    given = parser.parse_args()
    base = Setup(replicas=1, stickiness=given.stickiness, engine=given.engine_seconds)
    text, facts = asyncio.run(report(Shape(), base, seed=given.seed, price=given.dollars_per_call))
    print(text)
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "simulation.md").write_text(text)
    (given.out / "simulation.json").write_text(facts)


if __name__ == "__main__":
    main()
