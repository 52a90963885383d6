"""Two replicas under load while their shared cache fails in every way: no caller notices.

The engine says something else each time, so that only the cache can make replicas agree.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from chaos.parts.callers import DEADLINE, RAW
from chaos.parts.figures import Ledger, Pace, Row
from chaos.parts.promises import broken_promises
from chaos.parts.trial import acts, trial
from pointsman.v1 import route_decision_pb2 as pb
from support.eventually import eventually
from support.load import Load, Phase
from support.morph import ScriptedMorph
from support.redis_server import RealServer, delaying, false_server, saying
from support.served import Peer, Starter, policy_text, request

SAYS = [{"json": {"model": random.choice(["gpt-5.5", "claude-sonnet-4-6"])}} for _ in range(9_999)]
RECHECK = 0.3
SHARED = "pointsman.cache.shared"
KNOWN = 60
"""Conversations that both replicas know before anything happens."""


@dataclass
class Pair:
    """Two replicas, and what each conversation was told first."""

    peers: tuple[Peer, ...]
    told: dict[str, str] = field(default_factory=dict)

    async def model(self, peer: Peer, session: str) -> str:
        """The routed model."""
        asked = request(caller=pb.Caller(session_id=session))
        answer = await peer.decide(asked, timeout=DEADLINE)
        assert answer.outcome == pb.OUTCOME_ROUTED, answer
        assert not broken_promises(asked, answer)
        return str(answer.decision.model)

    async def meet(self) -> None:
        """Let both replicas learn of the conversations."""
        for number in range(KNOWN):
            session = f"known-{number}"
            # On a busy machine a lookup may miss its budget, and count as a miss.
            await eventually(lambda session=session: self.agrees(session))
            self.told[session] = await self.model(self.peers[0], session)

    async def ask(self, number: int) -> str | None:
        """Go on with a known conversation, or begin one; says what is wrong with the answer."""
        peer = random.choice(self.peers)
        if number % 4 == 0:
            await self.model(peer, f"new-{number}")
            return None
        session = f"known-{number % KNOWN}"
        model = await self.model(peer, session)
        before = self.told[session]
        return None if model == before else f"{session} went from {before} to {model}"

    async def ask_new(self, number: int) -> str | None:
        """Begin a conversation, or go on with one on the same replica."""
        session = f"own-{number // 4}"
        which = number // 4 % len(self.peers)
        model = await self.model(self.peers[which], session)
        before = self.told.setdefault(session, model)
        return None if model == before else f"{session} went from {before} to {model}"

    async def agree(self, count: int) -> None:
        """Wait until the replicas agree on the conversations that began last."""
        for number in range(0, count, 4 * max(1, count // 200)):
            await eventually(lambda session=f"new-{number}": self.agrees(session))

    async def agrees(self, session: str) -> bool:
        return len({await self.model(peer, session) for peer in self.peers}) == 1


@contextlib.asynccontextmanager
async def pair(start: Starter, url: str, **cache: Any) -> AsyncIterator[Pair]:
    async with ScriptedMorph() as morph:
        morph._faults.load([*SAYS, SAYS[0] | {"times": -1}])
        policy = policy_text(
            stickiness="conversation",
            engines={"order": ["morph", "local"], "morph": {"url": morph.url}},
            flags={"morph_router_enabled": True},
            cache={"url": url, "recheck": RECHECK, **cache},
        )
        environment = {"MORPH_API_KEY": "key"}
        peers = [await start(policy=policy, environment=environment) for _ in range(2)]
        yield Pair(tuple(peers))
        for peer in peers:
            await peer.stop()


def metric(peer: Peer, name: str) -> dict[str, float]:
    """An instrument's cells by the values of their attributes."""
    for reading in peer.running.telemetry.metrics.collect().readings:
        if reading.instrument.name == name:
            return {",".join(map(str, p.attributes.values())): p.value for p in reading.points}  # type: ignore[misc]
    raise KeyError(name)


async def reachable(peers: tuple[Peer, ...], *, wanted: bool) -> None:
    await eventually(
        lambda: all(metric(peer, f"{SHARED}.reachable")[""] == wanted for peer in peers)
    )


def failures(two: Pair) -> Counter[str]:
    """Why the shared cache was of no use, on both replicas."""
    counted: Counter[str] = Counter()
    for peer in two.peers:
        counted.update({k: int(v) for k, v in metric(peer, f"{SHARED}.failures").items()})
    return counted


def row(fault: str, done: str, two: Pair, phases: Mapping[str, Phase]) -> Row:
    counted = failures(two)
    besides = "cache: " + ", ".join(f"{stage} {count}" for stage, count in counted.most_common())
    return Row(fault=fault, done=done, load=RAW, phases=phases, besides=besides)


@pytest.mark.needs("redis-server")
async def test_the_first_decision_wins_for_both_replicas(start: Starter) -> None:
    with RealServer() as server:
        # A lookup that misses its budget counts as a miss, on a busy machine too.
        async with pair(start, server.url, timeout="5s") as two:
            for number in range(100):
                session = f"race-{number}"
                models = await asyncio.gather(*(two.model(p, session) for p in two.peers * 3))
                assert len(set(models)) == 1, session


FAULTS: dict[str, tuple[str, Callable[[RealServer], Any], Callable[[RealServer], Any]]] = {
    "stopped": ("killed, started again empty", RealServer.kill, RealServer.start),
    "frozen": ("SIGSTOP", RealServer.freeze, RealServer.thaw),
    "emptied": ("FLUSHALL", lambda s: s("FLUSHALL"), lambda s: s("FLUSHALL")),
    "evicting": (
        "no room for what is new",
        lambda s: [
            s("CONFIG", "SET", "maxmemory-policy", "allkeys-lru"),
            s("CONFIG", "SET", "maxmemory", s("INFO", "memory")["used_memory"] - 4_096),
        ],
        lambda s: s("CONFIG", "SET", "maxmemory", "0"),
    ),
    "full": (
        "maxmemory 1, no eviction",
        lambda s: s("CONFIG", "SET", "maxmemory", "1"),
        lambda s: s("CONFIG", "SET", "maxmemory", "0"),
    ),
    "asking for a password": (
        "requirepass, connections killed",
        lambda s: [
            s("CONFIG", "SET", "requirepass", "new"),
            setattr(s, "password", "new"),
            s("CLIENT", "KILL", "TYPE", "normal"),
        ],
        lambda s: [s("CONFIG", "SET", "requirepass", ""), setattr(s, "password", None)],
    ),
    "a read-only replica": (
        "demoted",
        lambda s: s("REPLICAOF", "127.0.0.1", "1"),
        lambda s: s("REPLICAOF", "NO", "ONE"),
    ),
}
RESTING = {"stopped", "frozen", "asking for a password", "a read-only replica"}


@pytest.mark.needs("redis-server")
@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        *(("redis", fault) for fault in FAULTS),
        ("valkey", "stopped"),
        ("valkey", "frozen"),
    ],
)
async def test_a_shared_cache_that_fails_fails_no_caller(
    start: Starter, kind: str, fault: str, ledger: Ledger, pace: Pace
) -> None:
    done, breaks, mends = FAULTS[fault]
    with RealServer(kind) as server:
        async with pair(start, server.url) as two:

            async def mended() -> None:
                if fault in RESTING:
                    await reachable(two.peers, wanted=False)
                await asyncio.to_thread(mends, server)
                await reachable(two.peers, wanted=True)

            await two.meet()
            broken = acts(lambda: asyncio.to_thread(breaks, server), mended)
            phases = await trial(two.ask, pace=pace, fault=broken)
            ledger.add(row(f"{kind.title()} {fault}", done, two, phases))
            if fault in RESTING:
                # A few calls waited for it, until it was known to be gone: the rest did not.
                counted = failures(two)
                assert counted["resting"] > counted.total() - counted["resting"], counted
            await two.agree(sum(phase.sent for phase in phases.values()))
            for session, model in two.told.items():
                assert await two.model(two.peers[0], session) == model


FALSE = {
    "another protocol": saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "another answer": saying(b"+OK\r\n"),
    "half an answer": saying(b"*1\r\n$1000000\r\nabc"),
    "errors": saying(b"-ERR no\r\n"),
}


@pytest.mark.parametrize("says", FALSE)
async def test_a_false_server_fails_no_caller(
    start: Starter, says: str, ledger: Ledger, pace: Pace
) -> None:
    async with false_server(FALSE[says]) as url, pair(start, url) as two:
        async with Load(two.ask_new) as load:
            await load.phase("during", pace.phase)
        ledger.add(row(f"Redis answering garbage: {says}", "from the start", two, load.phases))


@pytest.mark.needs("redis-server")
async def test_a_slow_server_counts_as_none(start: Starter, ledger: Ledger, pace: Pace) -> None:
    with RealServer() as server:
        async with false_server(delaying(0.2, server.port)) as url, pair(start, url) as two:
            async with Load(two.ask_new) as load:
                await load.phase("during", pace.phase)
            ledger.add(row("Redis slow", "answers after 200 ms", two, load.phases))
