"""A tour in three acts: a dozen prompts routed, the same conversations again, Morph gone.

Starts a Pointsman server and a Morph-compatible endpoint on free ports of this machine and asks
through the Python client. No key, no network. Exits 0 when every act went as it should.

    python examples/demo.py [--address HOST:PORT]

With `--address` it asks a server that runs already, and shows the first two acts only.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import yaml
from pointsman_client import Choice, RoutingClient

FRONTIER, BALANCED, SMALL = "kilo-auto/frontier", "kilo-auto/balanced", "kilo-auto/small"
STATIC_PICKS = {
    FRONTIER: "anthropic/claude-opus-4.8",
    BALANCED: "anthropic/claude-haiku-4.5",
    SMALL: "deepseek/deepseek-v4-flash:discounted",
}


@dataclass(frozen=True)
class Ask:
    """One prompt of one conversation."""

    tier: str
    prompt: str


ASKS = (
    Ask(FRONTIER, "What is the capital of Portugal?"),
    Ask(FRONTIER, "Rename the variable `foo` to `user_count` in this one-line function."),
    Ask(FRONTIER, "Write a Python function that returns the n-th Fibonacci number, with tests."),
    Ask(FRONTIER, "Explain what a mutex is to someone who has never programmed."),
    Ask(
        FRONTIER,
        "Our Go service deadlocks about once a day under load. The goroutine dump shows three"
        " workers waiting on the same RWMutex while one holds a read lock and waits for a channel"
        " that only a writer drains. Find the lock-order inversion and propose a fix that keeps"
        " readers non-blocking.",
    ),
    Ask(
        FRONTIER,
        "Prove that every finite group of order p^2, p prime, is abelian, and classify the groups"
        " of that order up to isomorphism.",
    ),
    Ask(BALANCED, "Summarise this paragraph in one sentence: the meeting moved to Tuesday."),
    Ask(BALANCED, "Write an SQL query for the ten customers with the highest revenue last year."),
    Ask(
        BALANCED,
        "Design the schema and the consistency model of a multi-region ledger that must never"
        " double-spend, tolerate the loss of a region, and answer balance queries under 50 ms.",
    ),
    Ask(BALANCED, "A train leaves at 14:10 and arrives at 17:45. How long is the journey?"),
    Ask(SMALL, "Translate 'good morning' into French."),
    Ask(
        SMALL,
        "Derive the closed form of the Kullback-Leibler divergence between two multivariate normal"
        " distributions and say when it is infinite.",
    ),
)


async def main(address: str | None) -> int:
    """Run the acts; the exit status."""
    if address is not None:
        async with RoutingClient(address, decide_timeout=5) as client:
            run = secrets.token_hex(4)
            first = await act("1  A dozen prompts", client, ASKS, run=run)
            again = await act("2  The same conversations again", client, ASKS, run=run)
        return verdict(
            *(f"act 1: {c.result or c.error}" for c in first if source_of(c) is None),
            *(f"act 2: {c.result or c.error}" for c in again if not cached(c)),
        )
    async with (
        morph_api() as (morph, morph_url),
        server(morph_url) as (_, free_address),
        RoutingClient(free_address, decide_timeout=5) as client,
    ):
        run = secrets.token_hex(4)
        first = await act("1  A dozen prompts, decided by the router", client, ASKS, run=run)
        again = await act("2  The same conversations again", client, ASKS, run=run)
        await stop(morph)
        gone = await act("3  The router is gone", client, ASKS[4:8], run=secrets.token_hex(4))
        described = await client.describe()
    print(f"Mode {described.mode}: every decision above is recorded, none is served yet;")
    print("gateways keep their static pick until the policy file says `mode: serve`.")
    return verdict(
        *(f"act 1: {c.result or c.error}" for c in first if source_of(c) != "morph"),
        *(f"act 2: {c.result or c.error}" for c in again if not cached(c)),
        *(f"act 3: {c.result or c.error}" for c in gone if source_of(c) != "local"),
    )


def verdict(*problems: str) -> int:
    """Print unexpected results; return the exit status."""
    for problem in problems:
        print(f"NOT AS EXPECTED  {problem}", file=sys.stderr)
    return 1 if problems else 0


async def act(
    title: str, client: RoutingClient, asks: tuple[Ask, ...], *, run: str
) -> list[Choice]:
    """Ask everything once and show it as a table."""
    print(f"\n{title}\n")
    print(ROW.format(*HEADINGS))
    print(ROW.format(*("-" * len(h) for h in HEADINGS)))
    choices = []
    for number, ask in enumerate(asks):
        started = time.perf_counter()
        choice = await client.decide(
            ask.prompt,
            tier=ask.tier,
            user_id="demo",
            session_id=f"{run}-{number}-{ask.prompt[:8]}",
            static_pick=STATIC_PICKS[ask.tier],
        )
        print(row(ask, choice, milliseconds=(time.perf_counter() - started) * 1000))
        choices.append(choice)
    return choices


HEADINGS = ("tier", "prompt", "static pick", "routed model", "difficulty", "conf", "source",
            "cached", "ms")  # fmt: skip
ROW = "{:<9} {:<34} {:<18} {:<23} {:<10} {:>4} {:<6} {:<6} {:>6}"


def row(ask: Ask, choice: Choice, *, milliseconds: float) -> str:
    """One line of the table."""
    decision = choice.result.decision if choice.result else None
    prompt = ask.prompt if len(ask.prompt) <= 34 else ask.prompt[:33] + "…"
    tier, pick = short(ask.tier), short(STATIC_PICKS[ask.tier])
    if decision is None:
        why = choice.result.reason if choice.result else choice.error
        return ROW.format(tier, prompt, pick, "-", str(why), "", "", "", f"{milliseconds:.1f}")
    sure = "" if decision.confidence is None else f"{decision.confidence:.2f}"
    return ROW.format(
        tier,
        prompt,
        pick,
        short(decision.model),
        decision.difficulty or "-",
        sure,
        decision.source,
        "yes" if decision.cached else "no",
        f"{milliseconds:.1f}",
    )


def short(public_id: str) -> str:
    """The part of an id that tells models apart."""
    return public_id.partition("/")[2].partition(":")[0]


def source_of(choice: Choice) -> str | None:
    """The engine that decided."""
    decision = choice.result.decision if choice.result else None
    return str(decision.source) if decision else None


def cached(choice: Choice) -> bool:
    """Whether no engine call was needed."""
    return bool(choice.result and choice.result.decision and choice.result.decision.cached)


@asynccontextmanager
async def morph_api() -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """The Morph-compatible endpoint on a free port."""
    command = ("morph-api", "--listen", "127.0.0.1:0", "--key-env", "MORPH_API_KEY")
    async with process(*command, pattern=SERVING) as started:
        yield started


@asynccontextmanager
async def server(morph_url: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A Pointsman server that asks `morph_url` first, with the flag on."""
    policy = yaml.safe_load(files("pointsman_server.policies").joinpath("default.yaml").read_text())
    policy["engines"].setdefault("morph", {})["url"] = morph_url
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "policy.yaml"
        path.write_text(yaml.safe_dump(policy, sort_keys=False))
        command = ("serve", "--listen", "127.0.0.1:0", "--admin-listen", "",
                   "--http-listen", "", "--metrics-listen", "127.0.0.1:0",
                   "--policy-file", str(path))  # fmt: skip
        async with process(*command, pattern=SERVING) as started:
            yield started


SERVING = r"serving on (\S+)"
KEY = secrets.token_hex(16)


@asynccontextmanager
async def process(
    *command: str, pattern: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """Start a `pointsman` command; return the match of `pattern` in its first line."""
    environment = os.environ | {
        "MORPH_API_KEY": KEY,
        "POINTSMAN_MORPH_ROUTER_ENABLED": "true",
        "POINTSMAN_HASH_KEY": KEY,
    }
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pointsman_server", *command,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, env=environment,
    )  # fmt: skip
    assert child.stderr is not None
    try:
        lines = []
        while line := (await asyncio.wait_for(child.stderr.readline(), 30)).decode().strip():
            lines.append(line)
            if found := re.search(pattern, line):
                break
        else:
            raise SystemExit("\n".join([f"{command[0]} did not start:", *lines]))
        print(line)
        drain = asyncio.create_task(child.stderr.read())
        yield child, found[1]
        drain.cancel()
    finally:
        await stop(child)


async def stop(child: asyncio.subprocess.Process) -> None:
    """End a process gracefully; twice is fine."""
    if child.returncode is None:
        child.send_signal(signal.SIGTERM)
    await child.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--address", help="ask a server that runs already")
    sys.exit(asyncio.run(main(parser.parse_args().address)))
