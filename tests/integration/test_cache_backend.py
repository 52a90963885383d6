"""Off the fast path, an aiocache backend answers and stores decisions through its public API."""

from __future__ import annotations

import logging

import pytest
from pointsman.v1 import route_decision_pb2 as pb
from support.redis_server import RealServer
from support.served import Starter, policy_text, request


def commands(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """What aiocache logs of its functions: the name, and whether something was there."""
    lines = [r.getMessage() for r in caplog.records if r.name == "aiocache.base"]
    caplog.clear()
    return [(line.split()[0], line.split()[-2]) for line in lines]


async def test_the_memory_backend_stores_and_answers_a_decision(
    start: Starter, caplog: pytest.LogCaptureFixture
) -> None:
    peer = await start()
    caplog.set_level(logging.DEBUG, "aiocache.base")
    first = await peer.decide(request())
    assert not first.decision.cached
    assert ("ADD", "True") in commands(caplog)
    # Whoever asks for a classification goes past the fast path.
    again = await peer.decide(request(classify=True))
    assert again.decision.cached
    assert ("GET", "True") in commands(caplog)
    assert again.decision.model == first.decision.model


async def test_the_fast_path_peeks(start: Starter, caplog: pytest.LogCaptureFixture) -> None:
    peer = await start()
    await peer.decide(request())
    caplog.set_level(logging.DEBUG, "aiocache.base")
    again = await peer.decide(request())
    assert again.decision.cached
    assert commands(caplog) == []


async def test_the_redis_backend_answers_a_decision_of_another_replica(
    start: Starter, caplog: pytest.LogCaptureFixture
) -> None:
    with RealServer("redis") as redis:
        policy = policy_text(cache={"url": redis.url})
        writer = await start(policy=policy)
        reader = await start(policy=policy)
        await writer.decide(request())
        caplog.set_level(logging.DEBUG, "aiocache.base")
        answer = await reader.decide(request())
        assert answer.outcome == pb.OUTCOME_ROUTED
        assert answer.decision.cached
        read = [line for line in commands(caplog) if line[0] == "MULTI_GET"]
    assert read
    assert {found for _, found in read} != {"0"}
