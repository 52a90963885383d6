"""Tour in three acts: a dozen requests decided, the same conversations again, a remote router gone.

Starts Pointsman servers and a Morph-compatible endpoint on free ports of this machine and asks
through the Python client. It needs no key and no network. Exits 0 if every act went as expected.

    python examples/demo.py [--address HOST:PORT]

With `--address` it asks a running server, and shows the first two acts only.
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
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import yaml
from pointsman_client import Choice, RoutingClient

STATIC_PICKS = {
    "kilo-auto/frontier": "anthropic/claude-opus-4.8",
    "kilo-auto/balanced": "google/gemini-3.5-flash",
    "kilo-auto/small": "deepseek/deepseek-v4-flash:discounted",
}
FRONTIER = "kilo-auto/frontier"


@dataclass(frozen=True)
class Ask:
    """One request; `title` is its short form in the table."""

    prompt: str
    title: str = ""
    continues: bool = False
    """Whether it is a turn of the conversation that the request before began."""


LOG = """\
2026-11-30T06:12:44Z orders ERROR pool timeout after 30000 ms
2026-11-30T06:12:45Z orders WARN  GET /v1/orders/88121 503
2026-11-30T06:12:46Z orders ERROR pool timeout after 30000 ms"""

ASKS = (
    Ask("What is the capital of Portugal?"),
    Ask("Übersetze ins Englische: Wir melden uns nächste Woche."),
    Ask("Explica a un principiante qué es un índice de base de datos."),
    Ask(
        f"How many of these lines are errors?\n\n{LOG}", "How many of these lines are errors? [log]"
    ),
    Ask("Write an SQL query for the ten customers with the highest revenue last year."),
    Ask(
        "Refactor the billing module: split the 2,000-line service into ports and adapters, keep"
        " the API, and migrate the tests."
    ),
    Ask("Add OAuth2 login with PKCE to our Express app, with refresh tokens and tests."),
    Ask("yes, go on", continues=True),
    Ask(
        "Unser Zahlungsdienst bucht unter Last gelegentlich doppelt. Finde die Ursache im"
        " Repository, behebe sie ohne Ausfallzeit und weise mit Tests nach, dass jede Buchung genau"
        " einmal geschieht."
    ),
    Ask(
        "Our Go service deadlocks about once a day under load. Three workers wait for the same"
        " RWMutex while one holds a read lock and waits for a channel that only a writer drains."
        " Find the cause in the repository and fix it without blocking readers."
    ),
    Ask(
        "Implement a lock-free MPMC queue in C++20 with hazard pointers, and prove that it is"
        " linearizable."
    ),
    Ask(
        "Migrate our payment monolith to event sourcing without downtime: plan the whole system,"
        " its invariants, the double-write phase, the proofs of equivalence and the way back."
    ),
)


async def main(address: str | None) -> int:
    """Run the acts; the exit status."""
    run = secrets.token_hex(4)
    if address is not None:
        async with RoutingClient(address, decide_timeout=5) as client:
            first = await first_act(client, run=run)
            again = await second_act(client, run=run)
        return verdict(*unrouted(first), *uncached(again))
    async with (
        server() as (_, own_address),
        RoutingClient(own_address, decide_timeout=5) as client,
    ):
        first = await first_act(client, run=run)
        again = await second_act(client, run=run)
        described = await client.describe()
    heading("3  A remote router in front, and then it is gone")
    async with (
        morph_api() as (morph, morph_url),
        server(morph_url) as (_, both_address),
        RoutingClient(both_address, decide_timeout=5) as client,
    ):
        there = [await remote(client, ask, run=run) for ask in ASKS[:2]]
        await stop(morph)
        print("The router stops. The embedded engine decides; no request fails or waits for long.")
        gone = [await remote(client, ask, run=run) for ask in ASKS[2:4]]
    print(f"\nMode {described.mode}: every decision above is recorded, none is served yet.")
    print("Gateways keep their static pick until the policy file says `mode: serve`.")
    return verdict(
        *unrouted(first),
        *one_model(first),
        *uncached(again),
        *(f"act 3: {c.result or c.error}" for c in there if source_of(c) != "morph"),
        *(f"act 3: {c.result or c.error}" for c in gone if source_of(c) != "local"),
    )


LEGEND = """
effort 1: any model answers it well. effort 5: the best models often fail.
sure: the probability that the difficulty is right. A request that could be harder counts as harder.
A turn such as "yes, go on" keeps the model of its conversation.
The static pick is the model that a gateway's own rules would take for every request of the tier."""


def verdict(*problems: str) -> int:
    """Print the unexpected; the exit status."""
    for problem in problems:
        print(f"NOT AS EXPECTED  {problem}", file=sys.stderr)
    return 1 if problems else 0


Decided = Mapping[str, Choice]
"""The choice of each tier."""


def unrouted(decided: Sequence[Decided]) -> list[str]:
    """Requests without a decision."""
    return [
        f"act 1: {choice.result or choice.error}"
        for choices in decided
        for choice in choices.values()
        if source_of(choice) is None
    ]


def one_model(decided: Sequence[Decided]) -> list[str]:
    """Tiers that picked one model for everything."""
    picks = {
        t: {c.result.decision.model for d in decided if (c := d[t]).result} for t in STATIC_PICKS
    }
    return [f"act 1: {tier} picks {models}" for tier, models in picks.items() if len(models) < 2]


def uncached(decided: Sequence[Decided]) -> list[str]:
    """Decisions that were made once more."""
    return [
        f"act 2: {choice.result or choice.error}"
        for choices in decided
        for choice in choices.values()
        if not cached(choice)
    ]


def heading(title: str) -> None:
    """Print the title of an act."""
    print(f"\n{title}\n")


HEADINGS = ("request", "effort", "difficulty", "sure", *(t.partition("/")[2] for t in STATIC_PICKS))
WIDTHS = (44, 6, 10, 4, 14, 17, 17)
ROW = "{:<44} {:>6} {:<10} {:>4}  {:<14} {:<17} {:<17}"


async def dozen(client: RoutingClient, *, run: str) -> AsyncIterator[tuple[Ask, Decided]]:
    """Ask everything of every tier."""
    number = 0
    for ask in ASKS:
        number += not ask.continues
        yield (
            ask,
            {
                tier: await client.decide(
                    ask.prompt,
                    tier=tier,
                    user_id="demo",
                    session_id=f"{run}-{number}-{tier}",
                    static_pick=pick,
                )
                for tier, pick in STATIC_PICKS.items()
            },
        )


async def first_act(client: RoutingClient, *, run: str) -> list[Decided]:
    """Decide everything and print a table with a row a request."""
    heading("1  A dozen requests, in order of effort")
    print(ROW.format(*HEADINGS))
    print(ROW.format("static pick", "", "", "", *map(short, STATIC_PICKS.values())))
    print(ROW.format(*("-" * width for width in WIDTHS)))
    decided, started = [], time.perf_counter()
    async for ask, choices in dozen(client, run=run):
        print(row(ask, choices))
        decided.append(choices)
    print(timing(decided, started=started))
    print(LEGEND)
    print(cost_of(FRONTIER, decided))
    return decided


async def second_act(client: RoutingClient, *, run: str) -> list[Decided]:
    """Ask everything once more and print who answered."""
    heading("2  The same conversations again")
    started = time.perf_counter()
    decided = [choices async for _, choices in dozen(client, run=run)]
    hits = sum(cached(choice) for choices in decided for choice in choices.values())
    print(f"{timing(decided, started=started)}; {hits} from the cache, without an engine call")
    return decided


def cost_of(tier: str, decided: Sequence[Decided]) -> str:
    """Compare the decided models of a tier with its static pick, by the catalog's prices."""
    pick, chosen, static = STATIC_PICKS[tier], 0.0, 0.0
    for choices in decided:
        result = choices[tier].result
        decision = result.decision if result else None
        costs = {m.model: m.estimated_cost for m in decision.ranking} if decision else {}
        cost, usual = costs.get(decision.model) if decision else None, costs.get(pick)
        if cost is not None and usual is not None:
            chosen, static = chosen + cost, static + usual
    name = tier.partition("/")[2]
    if not static:
        return f"The cost of {name}'s decisions is not known: the policy file has no prices."
    cost_share = f"{chosen / static:.0%}"
    return (
        f"By the catalog's prices, {name}'s decisions cost {cost_share} of its static pick: the"
        " hard requests,\nwhich cost most, keep the strongest model."
    )


def timing(decided: Sequence[Decided], *, started: float) -> str:
    """Tell how long the decisions took."""
    count = sum(map(len, decided))
    each = (time.perf_counter() - started) * 1000 / count
    return f"{count} decisions, {each:.1f} ms each, client and network included"


def row(ask: Ask, choices: Decided) -> str:
    """Format one line of the table."""
    title = titled(ask)
    picks = [picked(choice) for choice in choices.values()]
    result = choices[FRONTIER].result
    decision = result.decision if result else None
    if ask.continues or decision is None:
        return ROW.format(title, "", "turn" if ask.continues else "-", "", *picks)
    effort = "" if decision.effort is None else f"{decision.effort:.1f}"
    sure = "" if decision.confidence is None else share(decision.confidence)
    return ROW.format(title, effort, decision.difficulty or "-", sure, *picks)


def titled(ask: Ask) -> str:
    """Give the request in the width of its column."""
    title = ask.title or ask.prompt
    return title if len(title) <= WIDTHS[0] else title[: WIDTHS[0] - 1] + "…"


def share(probability: float) -> str:
    """Give a probability in percent; no engine is certain."""
    return f"{probability:.0%}" if probability <= 0.99 else ">99%"


def picked(choice: Choice) -> str:
    """Name the decided model, or tell why there is none."""
    decision = choice.result.decision if choice.result else None
    if decision is None:
        return str(choice.result.reason if choice.result else choice.error)
    return short(decision.model)


async def remote(client: RoutingClient, ask: Ask, *, run: str) -> Choice:
    """Ask once and print who decided."""
    started = time.perf_counter()
    choice = await client.decide(
        ask.prompt, tier=FRONTIER, user_id="demo", session_id=f"{run}-{ask.prompt[:8]}",
        static_pick=STATIC_PICKS[FRONTIER],
    )  # fmt: skip
    milliseconds = (time.perf_counter() - started) * 1000
    print(
        f"{titled(ask):<44} decided by {source_of(choice)}: {picked(choice)}, {milliseconds:.1f} ms"
    )
    return choice


def short(public_id: str) -> str:
    """Give the part of an id that tells models apart."""
    name = public_id.partition("/")[2].partition(":")[0]
    return name.removeprefix("claude-").removesuffix("-preview")


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
async def server(
    morph_url: str | None = None,
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A Pointsman server with the embedded engine, behind the router at `morph_url` if given."""
    policy = yaml.safe_load(files("pointsman_server.policies").joinpath("default.yaml").read_text())
    if morph_url is None:
        policy["engines"]["order"] = ["local"]
    else:
        policy["engines"]["morph"]["url"] = morph_url
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
        print(line.partition(" | ")[0])
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
