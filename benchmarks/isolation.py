"""Cached decisions, alone and beside a Morph that hangs and a miss path that is saturated.

    python -m benchmarks.isolation [--rounds 5] [--seconds 4] [--callers 64] [--no-morph]

Quiet and busy phases alternate; a phase's misses come from a process of its own. Prints the p50
and p99 of cached calls in milliseconds, a round a line, and the medians. Callers up to the bound
on Morph's calls (128) all hang; those above it, and all with `--no-morph`, are decided by the
embedded engine as fast as they can ask, which takes a whole core.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import Request, urlopen

import grpc
from pointsman.v1 import route_decision_pb2 as pb

from benchmarks.servers import free_port, policy_text, started

METHOD = "/pointsman.v1.RoutingService/RouteDecision"
KEPT = 64
PROBES = 4
PAUSE = 0.004
MODELS = ("anthropic/claude-opus-4.8", "anthropic/claude-sonnet-4.6", "openai/gpt-5.5")


def message(session: str, prompt: str) -> bytes:
    """A request of a conversation."""
    return pb.RouteDecisionRequest(
        prompt=pb.Prompt(user_prompt_prefix=prompt, api_kind=pb.API_KIND_CHAT_COMPLETIONS),
        caller=pb.Caller(user_id="user-1", session_id=session),
        routing=pb.RoutingContext(
            auto_model="kilo-auto/frontier", candidate_models=MODELS, resolved_model=MODELS[0]
        ),
    ).SerializeToString()


async def miss_until_killed(port: int, callers: int) -> None:
    """Ask what nobody asked before, `callers` at a time."""

    async def ask(caller: int) -> None:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            call = channel.unary_unary(METHOD)
            for number in range(sys.maxsize):
                new = f"{os.getpid()}-{caller}-{number}"
                try:
                    await call(message(new, f"Rename variable {new} everywhere."), timeout=2)
                except grpc.aio.AioRpcError:
                    continue

    await asyncio.gather(*map(ask, range(callers)))


async def cached(port: int, seconds: float) -> list[float]:
    """How long kept decisions take, in seconds, each."""
    took: list[float] = []
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary(
            METHOD, response_deserializer=pb.RouteDecisionResponse.FromString
        )
        kept = [message(f"kept-{n}", f"Explain function {n}.") for n in range(KEPT)]
        for each in kept:
            await call(each)
        end = time.perf_counter() + seconds

        async def probe(first: int) -> None:
            number = first
            while time.perf_counter() < end:
                began = time.perf_counter()
                answer = await call(kept[number % KEPT])
                took.append(time.perf_counter() - began)
                assert answer.decision.cached
                number += PROBES
                await asyncio.sleep(PAUSE)

        await asyncio.gather(*map(probe, range(PROBES)))
    return took


@contextmanager
def misses(port: int, callers: int) -> Iterator[None]:
    """Load the miss path until the block ends."""
    command = [sys.executable, "-m", "benchmarks.isolation", "--misses", str(port)]
    process = subprocess.Popen([*command, "--callers", str(callers)])
    try:
        time.sleep(1.5)
        yield
    finally:
        process.kill()
        process.wait()


def figures(took: list[float]) -> tuple[float, float]:
    """p50 and p99 in milliseconds."""
    cuts = statistics.quantiles(took, n=100)
    return cuts[49] * 1_000, cuts[98] * 1_000


def main() -> None:
    """Run the phases, or be one's load."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--callers", type=int, default=64)
    parser.add_argument("--misses", type=int, help="(internal) be the load on this port")
    parser.add_argument("--no-morph", action="store_true", help="the embedded engine decides")
    given = parser.parse_args()
    if given.misses:
        asyncio.run(miss_until_killed(given.misses, given.callers))
        return
    with serving(morph=not given.no_morph) as port:
        print(f"{'':8}{'quiet p50':>10}{'p99':>8}{'busy p50':>10}{'p99':>8}{'p99 ratio':>11}  load")
        rows = []
        for number in range(given.rounds):
            quiet = figures(asyncio.run(cached(port, given.seconds)))
            with misses(port, given.callers):
                busy = figures(asyncio.run(cached(port, given.seconds)))
            rows.append((*quiet, *busy, busy[1] / quiet[1]))
            print(row(f"round {number + 1}", rows[-1]), f"  {os.getloadavg()[0]:.1f}", flush=True)
        print(row("median", [statistics.median(column) for column in zip(*rows, strict=True)]))


def row(name: str, values: list[float] | tuple[float, ...]) -> str:
    """One line of the table."""
    a, b, c, d, ratio = values
    return f"{name:8}{a:10.2f}{b:8.2f}{c:10.2f}{d:8.2f}{ratio:11.1f}"


@contextmanager
def serving(*, morph: bool = True) -> Iterator[int]:
    """A server whose Morph hangs; the port."""
    port, morph_port = free_port(), free_port()
    with TemporaryDirectory() as folder:
        policy = Path(folder) / "policy.yaml"
        engines = {
            "order": ["morph", "local"],
            # The circuit stays closed: every place at Morph is held for as long as callers wait.
            "morph": {"url": f"http://127.0.0.1:{morph_port}", "breaker": {"failures": 1000}},
        }
        log = {"stdout": False, "file": f"{folder}/log"}
        policy.write_text(policy_text(engines=engines, decision_log=log))
        python = [sys.executable, "-m", "pointsman_server"]
        listen = ["--listen", f"127.0.0.1:{morph_port}"]
        stand_in = [*python, "morph-api", *listen, "--key-env", "MORPH_API_KEY", "--faults"]
        serve = [*python, "serve", "--listen", f"127.0.0.1:{port}", "--admin-listen", "",
                 "--metrics-listen", "", "--policy-file", str(policy)]  # fmt: skip
        environment = {
            "MORPH_API_KEY": "key",
            "POINTSMAN_HASH_KEY": "benchmark",
            "POINTSMAN_MORPH_ROUTER_ENABLED": str(morph).lower(),
        }
        with (
            started("morph", stand_in, port=morph_port, environment=environment),
            started("pointsman", serve, port=port, environment=environment),
        ):
            asyncio.run(cached(port, 0.5))
            hang(morph_port)
            yield port


def hang(port: int) -> None:
    """Let every further call of Morph hang."""
    body = json.dumps([{"stall_body": True, "times": -1}]).encode()
    headers = {"authorization": "Bearer key", "content-type": "application/json"}
    url = f"http://127.0.0.1:{port}/testing/faults"
    urlopen(Request(url, data=body, headers=headers, method="POST"), timeout=10).close()


if __name__ == "__main__":
    main()
