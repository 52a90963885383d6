"""Steady load on real servers, and whether anything of them grows.

    make soak             ten minutes
    make soak MINUTES=60  an hour

One `pointsman serve` keeps decisions in its memory and, where `redis-server` is there, another one
in Redis as well. Each is asked by call, by stream and by batch, for new conversations and known
ones; half of these may go to a Morph-compatible endpoint. Every call is a span for a collector and
a line of the decision log, and the policy file changes every minute. Ends with 1 where something
grew beyond its bound, a call failed or a policy file was not taken. Linux only.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
import time
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field

from benchmarks.soak.callers import Callers
from benchmarks.soak.figures import Sample, growth, table
from benchmarks.soak.parts import ENTRIES, Soaked, resources, soaked, surroundings

SAMPLES = 120
RELOAD_EVERY = 60.0
TAKING = 3.0
"""Seconds that a changed policy file gets to be taken, and spans to be sent."""


@dataclass
class Watched:
    """One process and what was seen of it."""

    name: str
    pid: int
    callers: tuple[Callers, ...]
    server: Soaked | None = None
    """`None`: this process, in which the clients are."""
    samples: list[Sample] = field(default_factory=list)

    async def look(self, at: float) -> None:
        """Take one sample."""
        if self.server is None:
            tasks = len(asyncio.all_tasks())
        else:
            tasks = int((await self.server.metrics())["pointsman_loop_tasks"])
        resident, descriptors, threads = resources(self.pid)
        p50, p99 = self.callers[0].latency() if self.server else (0.0, 0.0)
        self.samples.append(
            Sample(at=at, resident=resident, descriptors=descriptors, threads=threads,
                   tasks=tasks, p50=p50, p99=p99)
        )  # fmt: skip


async def soak(servers: list[Soaked], *, seconds: float) -> list[str]:
    """Load all servers for so long and print what became of them. Returns what is wrong."""
    async with AsyncExitStack() as stack:
        watched = []
        for server in servers:
            callers = await stack.enter_async_context(
                Callers(server.running.port, name=server.name)
            )
            await callers.fill(ENTRIES)
            pid = server.running.process.pid
            watched.append(Watched(server.name, pid, (callers,), server))
        everybody = tuple(callers for each in watched for callers in each.callers)
        watched.append(Watched("the clients", os.getpid(), everybody))
        for callers in everybody:
            callers.start()
        turns = await _watch(watched, seconds=seconds)
        await asyncio.sleep(TAKING)
        return [wrong for each in watched for wrong in await _verdict(each, turns=turns)]


async def _watch(watched: list[Watched], *, seconds: float) -> int:
    """Take samples and change policy files until the time is over. Returns how often."""
    began, turns = time.monotonic(), 0
    for number in range(1, SAMPLES + 1):
        await asyncio.sleep(max(0.0, began + number * seconds / SAMPLES - time.monotonic()))
        at = time.monotonic() - began
        for each in watched:
            await each.look(at)
        if at >= (turns + 1) * RELOAD_EVERY and number < SAMPLES:
            turns += 1
            for each in watched:
                if each.server is not None:
                    each.server.write_policy(turns)
    return turns


async def _verdict(watched: Watched, *, turns: int) -> list[str]:
    """Print one process's figures; what is wrong with them."""
    growths = [g for g in growth(watched.samples) if watched.server or not g.title.endswith("ms")]
    wrong = [f"{watched.name}: {g.title} grew by {g.grown:.1f}" for g in growths if g.exceeds]
    print(f"\n### {watched.name}\n")
    if watched.server is not None:
        seen = watched.callers[0].seen
        metrics = await watched.server.metrics()
        taken = round(metrics["pointsman_policy_reloads_total"])
        told = ", ".join(f"{count:,} {what}" for what, count in seen.most_common())
        print(f"{told}; {taken} policy files taken;", end=" ")
        print(f"{metrics['pointsman_cache_entries']:,.0f} entries in the process's cache.\n")
        wrong += [
            f"{watched.name}: {n} calls {what}" for what, n in seen.items() if "failed" in what
        ]
        if taken != turns:
            wrong.append(f"{watched.name}: {taken} of {turns} policy files taken")
        for lost in ("pointsman_export_failures_total", "pointsman_decision_log_dropped_total"):
            if metrics.get(lost):
                wrong.append(f"{watched.name}: {lost} is {metrics[lost]:.0f}")
    print(table(growths), flush=True)
    return wrong


def main(minutes: float) -> int:
    """Run the soak; 1 where something is wrong."""
    redis_server = shutil.which("redis-server")
    if redis_server is None:
        print("redis-server is missing: the soak goes without a shared cache", file=sys.stderr)
    load = os.getloadavg()
    with ExitStack() as stack:
        around = stack.enter_context(surroundings(redis_server=redis_server))
        caches = {"memory": "memory://"}
        if around.redis is not None:
            caches["Redis"] = f"redis://127.0.0.1:{around.redis}/0"
        servers = [
            stack.enter_context(soaked(f"cache in {name}", cache=url, around=around))
            for name, url in caches.items()
        ]
        wrong = asyncio.run(soak(servers, seconds=minutes * 60))
    loads = f"{load[0]:.1f} before, {os.getloadavg()[0]:.1f} at the end"
    print(f"\n{minutes:g} minutes, {os.cpu_count()} cores, load average {loads}")
    for each in wrong:
        print(f"WRONG: {each}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    sys.exit(main(parser.parse_args().minutes))
