"""Two replicas under load while their shared cache fails in every way: no caller notices.

The engine says something else each time, so that only the cache can make replicas agree.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from chaos.parts.callers import DEADLINE, RAW
from chaos.parts.figures import Ledger, Pace, Row
from chaos.parts.promises import broken_promises
from chaos.parts.redis_faults import FAULTS, KNOWN, Act, Fault
from chaos.parts.trial import acts, trial
from pointsman.v1 import route_decision_pb2 as pb
from support.eventually import eventually
from support.morph import ScriptedMorph
from support.redis_server import RealServer, Talk, Turning, delaying, false_server, saying
from support.served import Peer, Starter, policy_text, request

SAYS = [{"json": {"model": random.choice(["gpt-5.5", "claude-sonnet-4-6"])}} for _ in range(9_999)]
RECHECK = 0.3
SHARED = "pointsman.cache.shared"


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
    for reading in peer.running.telemetry.metrics.collect():
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


@pytest.mark.needs("redis-server")
async def test_the_first_decision_wins_for_both_replicas(start: Starter) -> None:
    with RealServer() as server:
        # A lookup that misses its budget counts as a miss, on a busy machine too.
        async with pair(start, server.url, timeout="5s") as two:
            for number in range(100):
                session = f"race-{number}"
                models = await asyncio.gather(*(two.model(p, session) for p in two.peers * 3))
                assert len(set(models)) == 1, session


async def _held_against(name: str, fault: Fault, server: RealServer, two: Pair, pace: Pace) -> Row:
    """Load on both replicas before, during and after; then they agree again, on what they said."""
    shown: list[str | None] = []

    async def broken() -> None:
        shown.append(await asyncio.to_thread(fault.breaks, server))

    async def mended() -> None:
        if fault.rests:
            await reachable(two.peers, wanted=False)
        shown.append(await asyncio.to_thread(fault.mends, server))
        await reachable(two.peers, wanted=True)

    await two.meet()
    phases = await trial(two.ask, pace=pace, fault=acts(broken, mended))
    counted = failures(two)
    stages = ", ".join(f"{stage} {count}" for stage, count in counted.most_common()) or "no failure"
    besides = "; ".join((*filter(None, shown), f"cache: {stages}"))
    if fault.stage is not None:
        assert counted[fault.stage], counted
    if fault.rests:
        # A few calls waited for it, until it was known to be gone: the rest did not.
        assert counted["resting"] > counted.total() - counted["resting"], counted
    await two.agree(sum(phase.sent for phase in phases.values()))
    for session, model in two.told.items():
        assert await two.model(two.peers[0], session) == model
    return Row(fault=name, done=fault.done, load=RAW, phases=phases, besides=besides)


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
    with RealServer(kind) as server:
        async with pair(start, server.url) as two:
            name = f"{kind.title()} {fault}"
            ledger.add(await _held_against(name, FAULTS[fault], server, two, pace))


FALSE = {
    "answering garbage: another protocol": saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "answering garbage: another answer": saying(b"+OK\r\n"),
    "answering garbage: half an answer": saying(b"*1\r\n$1000000\r\nabc"),
    "answering garbage: errors": saying(b"-ERR no\r\n"),
    "slow": None,
}
SLOW = 0.2


@pytest.mark.needs("redis-server")
@pytest.mark.parametrize("says", FALSE)
async def test_a_false_server_fails_no_caller(
    start: Starter, says: str, ledger: Ledger, pace: Pace
) -> None:
    with RealServer() as server:
        honest = delaying(0.0, server.port)
        false = FALSE[says] or delaying(SLOW, server.port)
        what = "the same bytes to everything" if FALSE[says] else f"after {SLOW * 1_000:.0f} ms"
        wire = Turning(honest)
        loop = asyncio.get_running_loop()

        def turned(talk: Talk) -> Act:
            def act(_: RealServer) -> None:
                loop.call_soon_threadsafe(wire.turn, talk)

            return act

        fault = Fault(
            done=f"connections ended, then answers {what}; then the real one again",
            breaks=turned(false),
            mends=turned(honest),
            rests=True,
        )
        async with false_server(wire) as url, pair(start, url) as two:
            ledger.add(await _held_against(f"Redis {says}", fault, server, two, pace))
