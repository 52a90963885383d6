"""New decisions of a quiet caller, alone and beside a greedy one.

    python -m benchmarks.fair_shares [--rounds 3] [--calls 100] [--kind misses|batches|streams]

Quiet and busy phases alternate, a row a round. The quiet caller asks one new decision at a time;
no decision is in the cache, and the embedded engine decides. The greedy caller is a process of its
own on one connection (streams: four):

    misses   64 new decisions at once, each followed by the next
    batches  eight batches of 256 with `dry_run` and `classify`, each followed by the next
    streams  four streams that are written as fast as they take requests

Bar: the quiet caller's p99 beside the greedy one is at most three times that of the quiet phase.
Server and load have a core each.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
from pointsman.v1 import batch_route_decisions_pb2 as batch_pb
from pointsman.v1 import route_decision_pb2 as pb
from pointsman.v1 import stream_route_decisions_pb2 as stream_pb
from pointsman.v1.routing_service_pb2_grpc import RoutingServiceStub

from benchmarks import load, servers

SERVER_CORE, LOAD_CORE = 0, 1
BAR = 3.0
WARM_UP = 2.0
PAUSE = 0.01
"""Seconds between two calls of the quiet caller."""
OWN_CONNECTION = [("grpc.use_local_subchannel_pool", 1)]
ALONE = ("engines.order=[local]",)
_numbers = itertools.count()


def new_request(**fields: bool) -> pb.RouteDecisionRequest:
    """Return a request of a new conversation."""
    number = f"{os.getpid()}-{next(_numbers)}"
    message = load.request(number)
    message.prompt.user_prompt_prefix += number
    message.MergeFrom(pb.RouteDecisionRequest(**fields))
    return message


def channel(port: int) -> grpc.aio.Channel:
    """Open a connection that no other channel shares."""
    return grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=OWN_CONNECTION)


async def misses(port: int) -> None:
    """Ask 64 new decisions at once, for ever."""
    stub = RoutingServiceStub(channel(port))

    async def ask() -> None:
        while True:
            await stub.RouteDecision(new_request())

    await asyncio.gather(*(ask() for _ in range(64)))


async def batches(port: int) -> None:
    """Send eight batches at once, for ever."""
    stub = RoutingServiceStub(channel(port))

    async def ask() -> None:
        while True:
            requests = [new_request(dry_run=True, classify=True) for _ in range(256)]
            await stub.BatchRouteDecisions(batch_pb.BatchRouteDecisionsRequest(requests=requests))

    await asyncio.gather(*(ask() for _ in range(8)))


async def streams(port: int) -> None:
    """Write four streams, each on its connection, as fast as they take requests."""

    async def drain(call: Any) -> None:
        async for _ in call:
            pass

    async def ask() -> None:
        call = RoutingServiceStub(channel(port)).StreamRouteDecisions()
        reading = asyncio.create_task(drain(call))
        for number in itertools.count():
            item = stream_pb.StreamRouteDecisionsRequest(
                correlation_id=str(number), request=new_request()
            )
            await call.write(item)
        await reading

    await asyncio.gather(*(ask() for _ in range(4)))


KINDS: dict[str, Callable[[int], Coroutine[Any, Any, None]]] = {
    "misses": misses, "batches": batches, "streams": streams,
}  # fmt: skip


@contextmanager
def beside(server: servers.Running, kind: str) -> Iterator[None]:
    """Run a greedy caller until the block ends."""
    command = [sys.executable, "-m", "benchmarks.fair_shares", "--greedy", str(server.port)]
    process = subprocess.Popen(["taskset", "-c", str(LOAD_CORE), *command, "--kind", kind])
    try:
        time.sleep(WARM_UP)
        assert process.poll() is None
        yield
    finally:
        process.kill()
        process.wait()


def quiet(port: int, calls: int) -> tuple[float, float]:
    """Return p50 and p99 of new decisions, one at a time, in milliseconds."""
    took = []
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=OWN_CONNECTION) as own:
        stub = RoutingServiceStub(own)
        for _ in range(calls):
            began = time.perf_counter()
            answer = stub.RouteDecision(new_request())
            took.append((time.perf_counter() - began) * 1e3)
            assert not answer.decision.cached
            time.sleep(PAUSE)
    cuts = statistics.quantiles(took, n=100)
    return cuts[49], cuts[98]


def main() -> None:
    """Run the phases, or be the greedy caller."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--kind", choices=KINDS, action="append")
    parser.add_argument("--greedy", type=int, help="(internal) be the greedy caller of this port")
    given = parser.parse_args()
    if given.greedy:
        asyncio.run(KINDS[given.kind[0]](given.greedy))
        return
    with servers.pointsman("pointsman", core=SERVER_CORE, assignments=ALONE) as server:
        quiet(server.port, given.calls)
        for kind in given.kind or KINDS:
            ratios = []
            for _ in range(given.rounds):
                alone = quiet(server.port, given.calls)
                with beside(server, kind):
                    crowded = quiet(server.port, given.calls)
                ratios.append(crowded[1] / alone[1])
                print(
                    f"{kind:8} quiet p50 {alone[0]:6.1f} p99 {alone[1]:6.1f} ms"
                    f"   busy p50 {crowded[0]:6.1f} p99 {crowded[1]:6.1f} ms"
                    f"   ratio {ratios[-1]:5.1f}   load {os.getloadavg()[0]:.1f}",
                    flush=True,
                )
            print(f"{kind}: median ratio of p99 {statistics.median(ratios):.1f}, bar {BAR}")


if __name__ == "__main__":
    main()
