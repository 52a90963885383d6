"""Bars over the wire: servers on one core, h2load on the other."""

from __future__ import annotations

import contextlib
import importlib.util
import time
import urllib.request
from pathlib import Path

from pointsman_server.engines.local.readers.cascade import MOST_WAITING

from benchmarks import load, servers
from benchmarks.bars import Bar, Series, bar, shown, unmeasured
from benchmarks.rounds import Rounds
from benchmarks.side import LOAD_CORE, SERVER_CORE, Costs, Side, limited_by

SIDES = 32
"""Of all comparisons below: time that is short is shared among them."""
LAST_SPANS = 3.0
"""Seconds that the last spans get to arrive."""
CONNECTIONS = 32
"""Of the load on many workers: the system gives each connection to any of them."""
BATCH = {"POINTSMAN_SCHEDULING": "batch"}
CROWD = 64
"""Callers that ask the same at once."""


def hits(rounds: Rounds, stock: Path | None, shipped: str, costs: Costs) -> list[Bar]:
    """Cached decisions against a bare echo of the same stack, and shared calls against our own.

    Against `stock` stands the server under the interpreter `shipped`.
    """
    with contextlib.ExitStack() as stack:
        started = stack.enter_context
        sink = started(servers.span_sink(core=LOAD_CORE))
        echo = started(servers.echo("echo", core=SERVER_CORE))
        few = started(servers.span_sink(core=LOAD_CORE)).port
        ours = started(servers.traced("pointsman", sink=few, share=0.01, core=SERVER_CORE))
        traced = started(servers.traced("traced", sink=sink.port, core=SERVER_CORE))
        batch = started(
            servers.traced("batch", sink=few, share=0.01, core=SERVER_CORE, environment=BATCH)
        )
        again = started(servers.echo("echo again", core=SERVER_CORE))
        bare = started(servers.stock(stock, core=SERVER_CORE)) if stock else None
        image = started(servers.pointsman("shipped", core=SERVER_CORE, python=shipped))

        against = [bare, image] if bare else []
        many = [Side(each, 2_000) for each in (echo, ours, traced, batch, *against, again)]
        for side in many:
            side.run()
        hit = rounds.play([side.per_second for side in many])
        alone = rounds.play([Side(each, 600, 1).p50 for each in (echo, ours, again)])
        crowd = rounds.play([Side(each, 2_000, 32).p99 for each in (echo, ours, again)])
        streamed, batched = _shared(rounds, ours, costs)
        costs["call"] = many[1].costs
        time.sleep(LAST_SPANS)
        arrived = sink.count() / many[2].sent
    first, scheduled, recorded = (
        limited_by(hit.over_control(side), many[0], many[side], many[-1]) for side in (1, 3, 2)
    )
    what = "as shipped, cached / stock echo, decisions a second"
    shipped_row = (
        bar("P3", what, ">= 1.3", limited_by(hit.over(5, 4), many[5], many[4]))
        if bare
        else unmeasured("P3", what, ">= 1.3", "`--stock`")
    )
    return [
        bar("P1", "cached, all on, 1 % sampled / bare echo, decisions a second", ">= 0.75", first),
        bar("P1", "the same, POINTSMAN_SCHEDULING=batch", ">= 0.75", scheduled),
        bar("P2", "P1 with a span for every call", ">= 0.6", recorded),
        bar("P2", "its spans that arrive at the collector", ">= 1", Series([arrived])),
        shipped_row,
        bar("P4", "8 clients, a stream each / 64 calls in flight, decisions", ">= 1.8", streamed),
        bar("P5", "batches of 16 / 64 calls in flight, decisions a second", ">= 5", batched),
        bar("P6", "p50, 1 in flight / bare echo", "<= 1.2", alone.over_control(1)),
        bar("P6", "p99, 32 in flight / bare echo", "<= 1.6", crowd.over_control(1)),
    ]


def _shared(rounds: Rounds, ours: servers.Running, costs: Costs) -> tuple[Series, Series]:
    """Cached decisions that share a call, by the stream and by the batch, against our own calls."""
    calls = Side(ours, 2_000)
    streams = Side(ours, 8, 1, body=load.stream(ours.port, decisions=500), clients=8)
    batches = Side(ours, 400, body=load.batch(decisions=16))
    seen = rounds.play([calls.per_second, streams.per_second, batches.per_second, calls.per_second])
    costs["stream"], costs["batch of 16"] = streams.costs, batches.costs
    return (
        limited_by(seen.over_control(1), calls, streams),
        limited_by(seen.over_control(2), calls, batches),
    )


def misses(rounds: Rounds, costs: Costs) -> list[Bar]:
    """The cost of an uncached decision, by each engine, against a cached one."""
    crowds = range(rounds.wanted)
    decided = load.request()
    # Dry runs are not cached, and no two share a call.
    decided.dry_run = True
    fresh = load.call(decided)
    with (
        servers.morph("morph", core=LOAD_CORE) as morph,
        servers.pointsman("local", core=SERVER_CORE) as local,
        servers.asking_morph("asking", port=morph.port, core=SERVER_CORE) as asking,
    ):

        def beside(server: servers.Running, name: str) -> Series:
            kept, made = Side(server, 1_500), Side(server, 600, body=fresh)
            for side in (kept, made):
                side.run()
            costs[name] = made.costs
            seen = rounds.play([kept.per_second, made.per_second, kept.per_second])
            return limited_by(seen.over_control(1), kept, made)

        by_local = beside(local, "decided by engine local")
        by_morph = beside(asking, "decided by Morph")
        kept, made = Side(asking, 600, 1), Side(asking, 400, 1, body=fresh)
        added = rounds.play([kept.p50, made.p50, kept.p50]).beyond_control(1)
        asked = Series([_asked_at_once(asking.port, morph.port, run) for run in crowds])
    return [
        bar("P7", "decided by engine local / cached", ">= 0.4", by_local),
        bar("P8", "decided by Morph (an instant endpoint) / cached", ">= 0.3", by_morph),
        bar("P8", "p50 that Morph adds, 1 in flight, microseconds", "<= 450", added),
        bar("P11", f"calls of Morph for {CROWD} identical misses at once", "<= 1", asked),
    ]


def semantic(rounds: Rounds, costs: Costs) -> Bar:
    """The cost of a decision that waits for the semantic reader, against a cached one.

    No more are in flight than may wait for that reader, and its deadline is out of reach: under
    more load, and as shipped, the default reader decides some of them.
    """
    what = f"decided by engine local, semantic reader / cached, {MOST_WAITING} in flight"
    if not all(map(importlib.util.find_spec, ("onnxruntime", "pointsman_semantic"))):
        return unmeasured("P7", what, ">= 0", "`pip install ./packages/pointsman-semantic`")
    decided = load.request()
    decided.dry_run = True
    rules = ("engines.local.reader=semantic", "engines.local.reader_deadline=1s")
    with servers.pointsman("semantic", core=SERVER_CORE, assignments=rules) as server:
        kept = Side(server, 800, MOST_WAITING)
        made = Side(server, 100, MOST_WAITING, body=load.call(decided))
        for side in (kept, made):
            side.run()
        costs["decided by engine local, semantic reader"] = made.costs
        seen = rounds.play([kept.per_second, made.per_second, kept.per_second])
    return shown("P7", what, limited_by(seen.over_control(1), kept, made))


def _asked_at_once(port: int, morph: int, run: int) -> float:
    """Calls of the engine for a crowd that asks the same at once, in a new conversation."""

    def calls() -> int:
        with urllib.request.urlopen(f"http://127.0.0.1:{morph}/") as told:
            return int(told.read())

    before = calls()
    same = load.call(load.request(session=f"crowd-{run}"))
    load.run(port, requests=CROWD, in_flight=CROWD, core=LOAD_CORE, body=same)
    # The caller is counted too.
    return calls() - before - 1


def workers(rounds: Rounds) -> list[Bar]:
    """Two workers against one, both over many connections and wherever the system puts them."""
    with (
        servers.pointsman("one") as one,
        servers.pointsman("two", workers=2) as two,
        servers.pointsman("one again") as again,
    ):
        sides = [Side(each, 3_000, 2, clients=CONNECTIONS) for each in (one, two, again)]
        for side in sides:
            side.run()
        before = two.cpu_by_process()
        seen = rounds.play([side.cost for side in sides])
        busy = sorted(after - before[pid] for pid, after in two.cpu_by_process().items())
    if busy[-2] < busy[-1] / 10:
        raise RuntimeError("one of the workers was given nothing to do")
    what = "2 workers / 1 worker, processor time a decision"
    return [bar("P14", what, "<= 1.3", seen.over_control(1))]
