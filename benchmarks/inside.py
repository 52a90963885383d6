"""Measurements that need no wire: they run in this process or watch one that starts."""

from __future__ import annotations

import asyncio
import gc
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

import uvloop
from pointsman.v1 import route_decision_pb2 as pb
from pointsman_server.bootstrap.caches import build_cache
from pointsman_server.bootstrap.serve import serving
from pointsman_server.bootstrap.system import SystemResources
from pointsman_server.cache import BoundedMemoryCache
from pointsman_server.core.keys import KEY_BYTES
from pointsman_server.core.model import EngineAnswer, Source
from pointsman_server.core.policy_file import CacheRules, LogRules
from pointsman_server.settings import Settings
from pointsman_server.telemetry import build_telemetry
from pointsman_server.transport.decode import to_request
from pointsman_server.transport.fast_path.answer_codec import WireCodec

from benchmarks import load, servers

CONVERSATIONS = 512
CONVERSATIONS_KEPT = 1_000_000
REPEATS = 20
AT_ONCE = 32
AT_A_TIME = 1_000
LOOKUP_REPEATS = 100
MEGABYTE = 1024 * 1024


def fast_path_microseconds() -> float:
    """Processor time of one cached decision, from the request's bytes to the response's."""
    return asyncio.run(_fast_path())


async def _fast_path() -> float:
    settings = Settings(
        listen="127.0.0.1:0",
        admin_listen="",
        http_listen="",
        metrics_listen="",
        hash_key="benchmark-hash-key",
    )
    quiet = ("decision_log.stdout=false",)
    ambient = SystemResources(environment={})
    async with serving(settings, ambient=ambient, assignments=quiet) as running:
        service = running.runtime.service()
        wires = [load.request(f"s{n}").SerializeToString() for n in range(CONVERSATIONS)]
        for wire in wires:
            await service.decider.decide(to_request(pb.RouteDecisionRequest.FromString(wire)))
        # Of this thread: what the process does beside it is not part of a decision.
        started = time.thread_time()
        for _ in range(REPEATS):
            for wire in wires:
                if service.fast_path.answer(pb.RouteDecisionRequest.FromString(wire)) is None:
                    raise RuntimeError("the decision was not cached")
        spent = time.thread_time() - started
    return spent / CONVERSATIONS / REPEATS * 1e6


@dataclass(frozen=True)
class Kept:
    """Memory and pauses of a full cache."""

    megabytes: float
    longest_pause: float
    """Milliseconds of the longest walk of the garbage collector while it is full."""


def cache_growth() -> Kept:
    """A million conversations that Morph decided, when two million were put in.

    Each is two entries: its decision, and the model that it is on.
    """
    return asyncio.run(_fill())


async def _fill() -> Kept:
    cache = BoundedMemoryCache(max_entries=2 * CONVERSATIONS_KEPT, now=time.monotonic)
    before = _resident(os.getpid())
    for first in (0, CONVERSATIONS_KEPT):
        await _insert(cache, first=first)
    grown = _resident(os.getpid()) - before
    if len(cache) < 0.97 * 2 * CONVERSATIONS_KEPT:
        raise RuntimeError("the cache does not fill its bound")
    pauses = []
    for _ in range(3):
        started = time.thread_time()
        gc.collect()
        pauses.append(time.thread_time() - started)
    return Kept(grown, max(pauses) * 1e3)


async def _insert(cache: BoundedMemoryCache, *, first: int) -> None:
    """As many conversations as it keeps, a thousand at a time, none twice."""
    on = EngineAnswer(
        source=Source.MORPH, model="anthropic/claude-opus-4.8", router_model="claude-opus-4-8"
    )
    slot, decision = WireCodec.dump(on), WireCodec.dump(replace(on, confidence=0.91))
    for start in range(first, first + CONVERSATIONS_KEPT, AT_A_TIME):
        pairs = []
        for number in range(start, start + AT_A_TIME):
            # The confidence is last, and differs for each.
            sure = decision[:-8] + number.to_bytes(8, "big")
            pairs.append((number.to_bytes(2 * KEY_BYTES, "big"), sure))
            pairs.append((number.to_bytes(KEY_BYTES, "big"), slot))
        await cache.multi_set(pairs, ttl=1_800)
        if len(cache) > 2 * CONVERSATIONS_KEPT:
            raise RuntimeError("the cache does not keep its bound")


def lookup_microseconds() -> float:
    """Processor time of one lookup in a Redis on this machine, of 32 at once."""
    port = servers.free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    loop = asyncio.Runner(loop_factory=uvloop.new_event_loop)  # as a server runs on
    with servers.started("redis", command, port=port), loop as runner:
        return runner.run(_look_up(port))


async def _look_up(port: int) -> float:
    telemetry = await build_telemetry(environment={}, log=LogRules(stdout=False))
    # Every lookup must reach the store, on a busy machine too: an open circuit would look cheap.
    rules = CacheRules(url=f"redis://127.0.0.1:{port}/0", timeout=5.0)
    part = await build_cache(
        rules, ambient=SystemResources(environment={}), telemetry=telemetry, seal_key=b"benchmark"
    )
    # Slots are looked up in the store each time: local copies are not authoritative.
    keys = [number.to_bytes(32, "big") for number in range(AT_ONCE)]
    for key in keys:
        await part.slots.put(key, os.urandom(140), ttl=1_800)
    await asyncio.gather(*(part.slots.get(key) for key in keys))
    started = time.thread_time()
    for _ in range(LOOKUP_REPEATS):
        found = await asyncio.gather(*(part.slots.get(key) for key in keys))
    spent = time.thread_time() - started
    families = {f.instrument.name: f.points for f in telemetry.metrics.collect()}
    await part.aclose()
    await telemetry.aclose()
    if None in found:
        raise RuntimeError("the store lost values")
    if families["pointsman.cache.shared.failures"]:
        raise RuntimeError("the store did not answer")
    return spent / LOOKUP_REPEATS / AT_ONCE * 1e6


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
