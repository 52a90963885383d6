"""Cached decisions, alone and beside a Morph that hangs and a miss path that is full.

    python -m benchmarks.isolation [--rounds 5] [--seconds 3] [--kind full|burst|flood]

Quiet and busy phases alternate, a row a round. Misses come from a separate process, twice as
many callers as Morph may have calls (128), each with a deadline of two seconds:

    full   at a steady rate: every place at Morph is held all the time, and says so
    burst  all at once, so that all at Morph run out of time in the same instant, again and again
    flood  each caller repeats at once: more than the server's core can do

Cached calls come steadily over another connection, from h2load: `ms` are its latencies. A machine
that is shared makes p99 a neighbour's affair, so `work` depends on the server
alone: the processor time that its whole process spent between a cached call's start and its answer.
Server and load have a core each.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import grpc
from pointsman.v1 import describe_routing_pb2
from pointsman.v1.routing_service_pb2_grpc import RoutingServiceStub

from benchmarks import load, servers

SERVER_CORE, LOAD_CORE = 0, 1
PLACES = 128
"""`engines.morph.max_in_flight`."""
DEADLINE = 2.0
RATE = 300.0
"""Misses a second, where they come steadily."""
CACHED_RATE = 400
PAUSE = 0.004
"""Seconds between two calls whose work is measured."""
WORD = "unanswerable"
"""The word on which the stand-in for Morph hangs."""
KINDS = ("full", "burst", "flood")


async def miss_until_killed(port: int, kind: str) -> None:
    """Send new requests, twice as many at once as Morph's limit."""
    turns = asyncio.Barrier(2 * PLACES)

    async def ask(caller: int) -> None:
        await asyncio.sleep(caller / RATE if kind == "full" else 0)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = RoutingServiceStub(channel)
            for number in range(sys.maxsize):
                message = load.request(f"{os.getpid()}-{caller}-{number}")
                message.prompt.user_prompt_prefix += WORD
                began = time.monotonic()
                with suppress(grpc.aio.AioRpcError):
                    await stub.RouteDecision(message, timeout=DEADLINE)
                if kind == "full":
                    left = 2 * PLACES / RATE - (time.monotonic() - began)
                    await asyncio.sleep(max(0.0, left))
                elif kind == "burst":
                    await turns.wait()

    await asyncio.gather(*map(ask, range(2 * PLACES)))


@contextmanager
def misses(server: servers.Running, kind: str) -> Iterator[None]:
    """Load the miss path until the block ends."""
    command = [sys.executable, "-m", "benchmarks.isolation", "--misses", str(server.port)]
    pinned = ["taskset", "-c", str(LOAD_CORE)]
    process = subprocess.Popen([*pinned, *command, "--kind", kind])
    try:
        time.sleep(2 * DEADLINE)
        yield
    finally:
        process.kill()
        process.wait()


@dataclass(frozen=True)
class Phase:
    """Times of cached calls in milliseconds: elapsed, and of the server's processor."""

    p50: float
    p99: float
    work50: float
    work99: float


def cached(server: servers.Running, seconds: float) -> Phase:
    """Cached calls at a steady rate."""
    with ThreadPoolExecutor() as beside:
        worked = beside.submit(work, server, seconds)
        loaded = load.run(
            server.port,
            requests=int(CACHED_RATE * seconds),
            in_flight=256,
            core=LOAD_CORE,
            per_second=CACHED_RATE,
        )
        cuts = statistics.quantiles(worked.result(), n=100)
    return Phase(loaded.p50 / 1e3, loaded.p99 / 1e3, cuts[49], cuts[98])


def work(server: servers.Running, seconds: float) -> list[float]:
    """Milliseconds of processor time that the server spent while each of these calls ran."""
    spent = []
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stub, message = RoutingServiceStub(channel), load.request()
        stub.RouteDecision(message)  # cached from here on
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            before = server.cpu_nanoseconds()
            answer = stub.RouteDecision(message)
            spent.append((server.cpu_nanoseconds() - before) / 1e6)
            assert answer.decision.cached
            time.sleep(PAUSE)
    return spent


def at_morph(server: servers.Running) -> int:
    """Calls that wait for Morph."""
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        asked = describe_routing_pb2.DescribeRoutingRequest()
        return RoutingServiceStub(channel).DescribeRouting(asked).engines[0].in_flight


@contextmanager
def serving() -> Iterator[servers.Running]:
    """A server whose Morph hangs on every miss."""
    # The circuit stays closed: places at Morph are held for as long as callers wait.
    closed = ("engines.morph.breaker.failures=1000", f"engines.morph.max_in_flight={PLACES}")
    with (
        servers.morph("morph", core=LOAD_CORE, hangs_on=WORD) as morph,
        servers.asking_morph(
            "pointsman", port=morph.port, core=SERVER_CORE, assignments=closed
        ) as server,
    ):
        cached(server, 1.0)
        yield server


def main() -> None:
    """Run the phases, or be one's misses."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--kind", choices=KINDS, default=KINDS[0])
    parser.add_argument("--misses", type=int, help="(internal) be the load on this port")
    given = parser.parse_args()
    if given.misses:
        asyncio.run(miss_until_killed(given.misses, given.kind))
        return
    with serving() as server:
        titles = [f"{when} {what}" for what in ("ms", "work") for when in ("quiet", "busy")]
        print(" " * 8 + "".join(f"{title:>13}" for title in (*titles, "p99 ratios", "at Morph")))
        ratios = []
        for number in range(given.rounds):
            quiet = cached(server, given.seconds)
            with misses(server, given.kind):
                before = at_morph(server)
                busy = cached(server, given.seconds)
                held = f"{before}, {at_morph(server)}"
            ratios.append((busy.p99 / quiet.p99, busy.work99 / quiet.work99))
            cells = (
                pair((quiet.p50, quiet.p99)), pair((busy.p50, busy.p99)),
                pair((quiet.work50, quiet.work99)), pair((busy.work50, busy.work99)),
                pair(ratios[-1]), held,
            )  # fmt: skip
            shown = "".join(f"{cell:>13}" for cell in cells)
            print(f"round {number + 1}{'':1}{shown}   load {os.getloadavg()[0]:.1f}", flush=True)
        medians = [statistics.median(column) for column in zip(*ratios, strict=True)]
        print(f"median of p99 ratios, ms and work: {pair(medians)}")


def pair(values: Sequence[float]) -> str:
    """Two figures in a cell."""
    return " ".join(f"{value:.2f}" for value in values)


if __name__ == "__main__":
    main()
