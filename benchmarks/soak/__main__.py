"""Steady load on real servers, and whether anything of them grows.

    make soak             ten minutes
    make soak MINUTES=60  an hour

One `pointsman serve` caches decisions in memory and, if `redis-server` is installed, another one
in Redis. Both receive calls, streams and batches, for new conversations and known
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
from math import nan

from pointsman_client import Transport

from benchmarks import servers
from benchmarks.soak.callers import Callers, Latency
from benchmarks.soak.figures import Sample, growth, table
from benchmarks.soak.parts import ENTRIES, Soaked, resources, soaked, surroundings

SAMPLES = 120
RELOAD_EVERY = 60.0
TAKING = 3.0
"""Seconds that a changed policy file gets to be taken, and spans to be sent."""
NOBODY = Latency(0, nan, nan)


@dataclass
class Watched:
    """One process and its samples."""

    name: str
    pid: int
    server: Soaked | None = None
    """`None`: this process, in which the clients are."""
    callers: Callers | None = None
    samples: list[Sample] = field(default_factory=list)
    _cpu: float = 0.0

    def start(self) -> None:
        """Load it from now on."""
        if self.server is not None and self.callers is not None:
            self._cpu = self.server.running.cpu_seconds()
            self.callers.start()

    async def look(self, at: float, echo: Latency) -> None:
        """Take one sample; `echo` is of the same time."""
        seen, tasks, spent = NOBODY, len(asyncio.all_tasks()), 0.0
        if self.server is not None and self.callers is not None:
            seen = self.callers.latency()
            tasks = int((await self.server.metrics())["pointsman_loop_tasks"])
            before, self._cpu = self._cpu, self.server.running.cpu_seconds()
            spent = self._cpu - before
        resident, descriptors, threads = resources(self.pid)
        self.samples.append(
            Sample(
                at=at,
                resident=resident,
                descriptors=descriptors,
                threads=threads,
                tasks=tasks,
                p50=seen.p50,
                p99=seen.p99,
                p50_ratio=seen.p50 / echo.p50,
                p99_ratio=seen.p99 / echo.p99,
                cpu=spent * 1_000 / seen.calls if seen.calls else nan,
            )
        )


async def soak(servers: list[Soaked], *, echo: int, seconds: float) -> list[str]:
    """Load all servers, and the echo on a port, for a duration; print the results of the servers.

    Returns the problems.
    """
    async with AsyncExitStack() as stack:
        control = await stack.enter_async_context(
            Callers(echo, name="echo", transports=[Transport.UNARY])
        )
        watched = []
        for server in servers:
            callers = await stack.enter_async_context(
                Callers(server.running.port, name=server.name)
            )
            await callers.fill(ENTRIES)
            watched.append(Watched(server.name, server.running.process.pid, server, callers))
        watched.append(Watched("the clients", os.getpid()))
        for each in watched:
            each.start()
        control.start()
        turns = await _watch(watched, control, seconds=seconds)
        await asyncio.sleep(TAKING)
        return [wrong for each in watched for wrong in await _verdict(each, turns=turns)]


async def _watch(watched: list[Watched], control: Callers, *, seconds: float) -> int:
    """Take samples and change policy files until the time is over. Returns how often."""
    began, turns = time.monotonic(), 0
    for number in range(1, SAMPLES + 1):
        await asyncio.sleep(max(0.0, began + number * seconds / SAMPLES - time.monotonic()))
        at = time.monotonic() - began
        echo = control.latency()
        for each in watched:
            await each.look(at, echo)
        if at >= (turns + 1) * RELOAD_EVERY and number < SAMPLES:
            turns += 1
            for each in watched:
                if each.server is not None:
                    each.server.write_policy(turns)
    return turns


async def _verdict(watched: Watched, *, turns: int) -> list[str]:
    """Print one process's figures; return their problems."""
    growths = growth(watched.samples)
    wrong = [f"{watched.name}: {g.title} grew by {g.grown:.1f}" for g in growths if g.exceeds]
    print(f"\n### {watched.name}\n")
    if watched.server is not None and watched.callers is not None:
        seen = watched.callers.seen
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
        soaked_ones = [
            stack.enter_context(soaked(f"cache in {name}", cache=url, around=around))
            for name, url in caches.items()
        ]
        bare = stack.enter_context(servers.echo("echo"))
        wrong = asyncio.run(soak(soaked_ones, echo=bare.port, seconds=minutes * 60))
    loads = f"{load[0]:.1f} before, {os.getloadavg()[0]:.1f} at the end"
    print(f"\n{minutes:g} minutes, {os.cpu_count()} cores, load average {loads}")
    for each in wrong:
        print(f"WRONG: {each}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    sys.exit(main(parser.parse_args().minutes))
