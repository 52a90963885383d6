"""Measurements that need no wire: they run in this process or watch one that starts."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from pointsman.v1 import route_decision_pb2 as pb
from pointsman_server.bootstrap.ambient import Ambient
from pointsman_server.bootstrap.serve import serving
from pointsman_server.cache import BoundedMemoryCache
from pointsman_server.settings import Settings
from pointsman_server.transport.decode import to_request

from benchmarks import load, servers

CONVERSATIONS = 512
REPEATS = 20
MEGABYTE = 1024 * 1024


def lane_microseconds() -> float:
    """Processor time of one kept decision, from the request's bytes to the response's."""
    return asyncio.run(_lane())


async def _lane() -> float:
    settings = Settings(listen="127.0.0.1:0", metrics_listen="", hash_key="benchmark")
    async with serving(settings, ambient=Ambient(environment={})) as running:
        service = running.runtime.service
        wires = [load.request(f"s{n}").SerializeToString() for n in range(CONVERSATIONS)]
        for wire in wires:
            await service.decider.decide(to_request(pb.RouteDecisionRequest.FromString(wire)))
        started = time.process_time()
        for _ in range(REPEATS):
            for wire in wires:
                if service.lane.answer(pb.RouteDecisionRequest.FromString(wire)) is None:
                    raise RuntimeError("the decision was not kept")
        spent = time.process_time() - started
    return spent / CONVERSATIONS / REPEATS * 1e6


def cache_megabytes() -> float:
    """What a million kept decisions of 140 bytes take."""
    return asyncio.run(_fill())


async def _fill() -> float:
    cache = BoundedMemoryCache(max_entries=1_000_000, now=time.monotonic)
    before = _resident(os.getpid())
    for number in range(1_000_000):
        await cache.set(number.to_bytes(32, "big"), os.urandom(140), ttl=1_800)
    grown = _resident(os.getpid()) - before
    if len(cache) != 1_000_000:
        raise RuntimeError("the cache lost entries")
    return grown


def start_and_memory() -> tuple[float, float]:
    """Seconds until `pointsman serve` listens, and its resident memory then in MB."""
    started = time.monotonic()
    with servers.pointsman("start") as running:
        taken = time.monotonic() - started
        time.sleep(1)
        return taken, _resident(running.process.pid)


def _resident(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MEGABYTE
