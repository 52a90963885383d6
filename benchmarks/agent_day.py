"""Simulate a day of agent traffic under each stickiness: switches, engine calls, tokens, dollars.

    python -m benchmarks.agent_day [--seed 1] [--seeds 5] [--out build/agent-day] [--kinds]

The decider, its caches and the built-in policy file are the server's own; the traffic
(`agent_traffic.py`), the engine and the bill are made up. The engine names the cheapest candidate
for an easy task, the second cheapest for a medium one and the dearest for a hard one. The bill
follows the built-in prices: what the previous request of an agent left in the provider's prompt
cache is read at a tenth, the rest at the full price, and an answer has 500 tokens for a person and
100 for a tool call. An engine call costs $0.005. Nothing is measured, and the same seed prints the
same table: means and standard deviations over the seeds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from opentelemetry.trace import NoOpTracer
from pointsman_server.bootstrap.chain import build_chain
from pointsman_server.cache import AiocacheDecisionCache, BoundedMemoryCache
from pointsman_server.chain.cached import CachedConversations
from pointsman_server.core.candidate_plan import Planner
from pointsman_server.core.decider import Decider
from pointsman_server.core.keys import Keys
from pointsman_server.core.model import (
    Caller,
    CatalogModel,
    Constraints,
    EngineAnswer,
    EngineQuery,
    Mode,
    Outcome,
    Prompt,
    RouteRequest,
    RoutingContext,
    Source,
    Stickiness,
    SwitchValues,
)
from pointsman_server.core.policy_file import PolicyFile
from pointsman_server.core.router import Router
from pointsman_server.engines.local.turns import LexicalTurnReader
from pointsman_server.policies.loader import load
from pointsman_server.transport.fast_path.answer_codec import WireCodec

from benchmarks.agent_traffic import Ask, Habits, make_day

TIER = "kilo-auto/frontier"
STRONGEST = "anthropic/claude-opus-4.8"
"""The static pick, too."""
STATIC = "static pick"
DOLLARS_A_CALL = 0.005
PERSON_TOKENS, TOOL_TOKENS = 500, 100
SECONDS = 20.0
"""Between two requests."""


@dataclass(slots=True)
class Bill:
    """Results of one stickiness."""

    stickiness: str
    requests: int = 0
    conversations: int = 0
    switches: int = 0
    """Decisions with a `switch_reason`, as log and metrics count them."""
    engine_calls: int = 0
    tokens_read_again: int = 0
    """Tokens that a provider's prompt cache had lost to a switch."""
    dollars: float = 0.0
    hard: int = 0
    hard_on_strongest: int = 0

    @property
    def hard_share(self) -> float:
        """The share of hard tasks' requests on the strongest model."""
        return self.hard_on_strongest / self.hard

    def facts(self) -> dict[str, object]:
        """For programs."""
        return asdict(self)


class _Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return 1_790_000_000 + self.now


class _Switches:
    async def current(self) -> SwitchValues:
        return SwitchValues(morph_router_enabled=True)


class _Uncounted:
    def cache_lookup(self, result: str) -> None:
        pass

    def cache_write_failed(self) -> None:
        pass


class _NoLabels:
    """Nobody asks for labels on that day."""

    def beside(self, prompt: Prompt, *, remote: bool = False) -> Any:
        raise NotImplementedError


class _Engine:
    """Says of each prompt what the day has for it."""

    def __init__(self) -> None:
        self.calls = 0
        self.ask: Ask | None = None

    async def decide(self, query: EngineQuery) -> EngineAnswer:
        assert self.ask is not None
        self.calls += 1
        by_price = sorted(query.candidates, key=lambda m: m.output_price or 0.0)
        strongest = next((m for m in by_price if m.public_id == STRONGEST), by_price[-1])
        model = {"easy": by_price[0], "medium": by_price[min(1, len(by_price) - 1)]}.get(
            self.ask.says, strongest
        )
        return EngineAnswer(
            source=Source.MORPH,
            model=model.public_id,
            router_model=model.router_id or "",
            difficulty=self.ask.says,
            confidence=self.ask.confidence,
        )


async def play(stickiness: Stickiness, *, habits: Habits, seed: int) -> Bill:
    """One day under one stickiness."""
    rules, clock, engine = _rules(stickiness), _Clock(), _Engine()
    decider = _decider(rules, clock, engine)
    bill = Bill(stickiness=str(stickiness), conversations=habits.conversations)
    before: dict[tuple[int, str], tuple[str, int]] = {}
    for ask in make_day(habits, seed=seed):
        clock.now += SECONDS
        engine.ask = ask
        outcome = await decider.decide(_request(ask, rules))
        _charge(bill, ask, outcome, rules, before)
    bill.engine_calls = engine.calls
    bill.dollars += engine.calls * DOLLARS_A_CALL
    return bill


def static(*, habits: Habits, seed: int) -> Bill:
    """The same day with the static pick alone."""
    rules = _rules(Stickiness.EXACT)
    bill = Bill(stickiness=STATIC, conversations=habits.conversations)
    before: dict[tuple[int, str], tuple[str, int]] = {}
    for ask in make_day(habits, seed=seed):
        _charge(bill, ask, None, rules, before)
    return bill


def _charge(
    bill: Bill,
    ask: Ask,
    outcome: Outcome | None,
    rules: PolicyFile,
    before: dict[tuple[int, str], tuple[str, int]],
) -> None:
    agent = (ask.session, ask.agent)
    served = STRONGEST if outcome is None else outcome.serve_model
    last, cached = before.get(agent, (served, 0))
    bill.switches += outcome is not None and _is_switch(outcome)
    if last != served:
        if not ask.reset:
            bill.tokens_read_again += cached
        cached = 0
    # A context that was rebuilt shares its head alone with the previous one.
    cached = min(cached, ask.tokens) if not ask.reset else 0
    before[agent] = (served, ask.tokens)
    bill.requests += 1
    bill.hard += ask.difficulty == "hard"
    bill.hard_on_strongest += ask.difficulty == "hard" and served == STRONGEST
    bill.dollars += _dollars(rules.catalog[served], ask, cached)


def _is_switch(outcome: Outcome) -> bool:
    return outcome.decision is not None and outcome.decision.switch_reason is not None


def _dollars(model: CatalogModel, ask: Ask, cached: int) -> float:
    price, out = model.input_price or 0.0, model.output_price or 0.0
    answer = PERSON_TOKENS if ask.ends_turn else TOOL_TOKENS
    return ((ask.tokens - cached) * price + cached * price / 10 + answer * out) / 1e6


def _request(ask: Ask, rules: PolicyFile) -> RouteRequest:
    return RouteRequest(
        prompt=Prompt(
            first=ask.first,
            latest=ask.prompt,
            message_count=ask.messages,
            context_reset=ask.reset,
        ),
        caller=Caller(user_id="user", session_id=str(ask.session), agent_id=ask.agent or None),
        routing=RoutingContext(
            auto_model=TIER,
            candidate_models=rules.tiers[TIER].default_candidates,
            resolved_model=STRONGEST,
        ),
        constraints=Constraints(prompt_tokens_estimate=ask.tokens),
    )


def _rules(stickiness: Stickiness) -> PolicyFile:
    rules = load(None).policy_file
    tiers = {n: replace(t, stickiness=stickiness) for n, t in rules.tiers.items()}
    return replace(rules, mode=Mode.SERVE, serve_percent=100.0, tiers=tiers)


def _decider(rules: PolicyFile, clock: _Clock, engine: _Engine) -> Decider:
    near = BoundedMemoryCache(max_entries=rules.cache.max_entries, now=clock.monotonic)
    cache = AiocacheDecisionCache(near, meter=_Uncounted())
    codec, tracer = WireCodec(), NoOpTracer()
    chain = build_chain(
        rules, engines={"morph": engine, "local": engine}, cache=cache, codec=codec, clock=clock
    )
    ids = iter(range(10**9))
    router = Router(
        rules=rules,
        planner=Planner(rules),
        engine=chain,
        memory=CachedConversations(
            cache=cache,
            slots=cache,
            codec=codec,
            rules=rules.cache,
            tracer=tracer,
            now=clock.time,
            on_lookup=lambda _: None,
            writes=None,
        ),
        reader=LexicalTurnReader(),
        clock=clock,
        new_id=lambda: str(next(ids)),
    )
    return Decider(
        router=router,
        switches=_Switches(),
        classification=_NoLabels(),
        keys=Keys(b"simulation"),
    )


def dollars_at(share: float, bill: Bill, fallback: Bill) -> float:
    """Dollars of a day with `share` of the hard requests on the strongest model.

    The rest of the conversations, as few as that takes, keep the static pick, as `serve_percent`
    below 100 has it. A bill that has the share already costs what it costs.
    """
    ours, theirs = bill.hard_share, fallback.hard_share
    rest = max((share - ours) / (theirs - ours), 0.0) if theirs > ours else 0.0
    return (1.0 - rest) * bill.dollars + rest * fallback.dollars


def table(days: Sequence[Sequence[Bill]]) -> str:
    """The table in Markdown; of each seed the bills, in one order."""
    head = (
        "| stickiness | switches a conversation | engine calls a conversation |"
        " of those of `exact` | tokens read again a conversation | dollars a conversation |"
        " hard tasks' requests on the strongest model | dollars at the share of `adaptive` |\n"
        "|---|---|---|---|---|---|---|---|"
    )
    rows = [_row([_named(day, bill.stickiness) for day in days], days) for bill in days[0]]
    return "\n".join([head, *rows])


def _row(bills: Sequence[Bill], days: Sequence[Sequence[Bill]]) -> str:
    first = bills[0]
    name = "static pick alone" if first.stickiness == STATIC else f"`{first.stickiness}`"
    pairs = list(zip(bills, days, strict=True))
    of_exact = [b.engine_calls / _named(d, "exact").engine_calls for b, d in pairs]
    equal = [dollars_at(_named(d, "adaptive").hard_share, b, _named(d, STATIC)) for b, d in pairs]
    cells = (
        _mean([b.switches / b.conversations for b in bills]),
        _mean([b.engine_calls / b.conversations for b in bills], ".1f"),
        _mean(of_exact, ".1%"),
        _mean([b.tokens_read_again / b.conversations for b in bills], ",.0f"),
        _mean([b.dollars / b.conversations for b in bills]),
        _mean([b.hard_share for b in bills], ".0%"),
        _mean([e / first.conversations for e in equal]),
    )
    return f"| {name} | {' | '.join(cells)} |"


def _mean(values: Sequence[float], form: str = ".2f") -> str:
    """The mean of several seeds, and their standard deviation."""
    text = f"{mean(values):{form}}"
    spread = f"{stdev(values):{form}}" if len(values) > 1 else "0"
    if form.endswith("%"):
        text, spread = text.replace("%", " %"), spread.removesuffix("%")
        return f"{text.removesuffix(' %')} ± {spread} %" if float(spread) else text
    return f"{text} ± {spread}" if float(spread.replace(",", "")) else text


def _named(day: Sequence[Bill], stickiness: str) -> Bill:
    return next(b for b in day if b.stickiness == stickiness)


def kinds() -> dict[str, Habits]:
    """Other kinds of traffic, by what is different."""
    few = 500
    return {
        "loops of 3 requests": Habits(conversations=few, loop=3),
        "loops of 14 requests": Habits(conversations=few, loop=14),
        "35 % of turns without a task": Habits(conversations=few, talks=0.35),
        "compactions that keep the messages": Habits(conversations=few, summarizes=False),
        "lengths as spread as in TraceLab": Habits(conversations=few, spread=True),
    }


async def compare(habits: Habits, *, seeds: Sequence[int]) -> str:
    """The cells of `adaptive` against `exact`."""
    pairs = [
        [await play(s, habits=habits, seed=seed) for s in (Stickiness.EXACT, Stickiness.ADAPTIVE)]
        for seed in seeds
    ]
    count = habits.conversations
    exact, adaptive = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    return " | ".join(
        (
            _mean([a.switches / count for a in adaptive]),
            _mean([a.engine_calls / e.engine_calls for e, a in pairs], ".1%"),
            _mean([e.dollars / count for e in exact]),
            _mean([a.dollars / count for a in adaptive]),
            _mean([e.hard_share for e in exact], ".0%"),
            _mean([a.hard_share for a in adaptive], ".0%"),
        )
    )


async def day(habits: Habits, *, seed: int) -> list[Bill]:
    """The bills of one seed."""
    bills = [await play(s, habits=habits, seed=seed) for s in Stickiness]
    return [*bills, static(habits=habits, seed=seed)]


def main() -> None:
    """Play the day under each stickiness and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--seed", type=int, default=1, help="the first one")
    parser.add_argument("--seeds", type=int, default=5, help="how many")
    parser.add_argument("--out", type=Path, default=Path("build/agent-day"))
    parser.add_argument("--kinds", action="store_true", help="other kinds of traffic instead")
    given = parser.parse_args()
    seeds = range(given.seed, given.seed + given.seeds)
    if given.kinds:
        for name, kind in kinds().items():
            print(f"| {name} | {asyncio.run(compare(kind, seeds=seeds))} |", flush=True)
        return
    habits = Habits()
    days = [asyncio.run(day(habits, seed=seed)) for seed in seeds]
    text = table(days)
    given.out.mkdir(parents=True, exist_ok=True)
    facts = {
        "habits": asdict(habits),
        "days": [
            {"seed": seed, "bills": [b.facts() for b in bills]}
            for seed, bills in zip(seeds, days, strict=True)
        ],
    }
    (given.out / "agent-day.json").write_text(json.dumps(facts, indent=1))
    (given.out / "agent-day.md").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
