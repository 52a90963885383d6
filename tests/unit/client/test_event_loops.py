"""One `RoutingClient` and several event loops: it follows one that closed, and refuses a second."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from pointsman_client import MirrorCounts, RoutingClient
from pointsman_client.testing import FakeService, routed
from support.threaded_fake import threaded_fake

ASK = {"user_id": "u", "tier": "t", "static_pick": "vendor/a"}


@pytest.fixture
def fake() -> Iterator[FakeService]:
    with threaded_fake() as service:
        service.always(routed("vendor/b"))
        yield service


@pytest.mark.parametrize("transport", ["unary", "stream", "batch"])
def test_a_loop_for_each_request_works(fake: FakeService, transport: str) -> None:
    client = RoutingClient(fake.target, timeout=30, decide_timeout=30, transport=transport)

    async def request() -> str:
        return (await client.decide("Hi", **ASK)).model

    assert [asyncio.run(request()) for _ in range(5)] == ["vendor/b"] * 5
    asyncio.run(client.aclose())


def test_a_second_open_loop_is_a_mistake_and_no_outage(fake: FakeService) -> None:
    client = RoutingClient(fake.target, timeout=30, decide_timeout=30)

    async def request() -> str:
        return (await client.decide("Hi", **ASK)).model

    first = asyncio.new_event_loop()
    assert first.run_until_complete(request()) == "vendor/b"
    with pytest.raises(ValueError, match="another event loop"):
        asyncio.run(request())
    assert first.run_until_complete(request()) == "vendor/b"
    first.run_until_complete(client.aclose())
    first.close()


def test_mirroring_from_another_loop_or_from_none_is_a_mistake(fake: FakeService) -> None:
    client = RoutingClient(fake.target)

    async def submit() -> bool:
        return client.mirror("Hi", **ASK)

    with pytest.raises(ValueError, match="no event loop is running"):
        client.mirror("Hi", **ASK)
    first = asyncio.new_event_loop()
    assert first.run_until_complete(submit())
    with pytest.raises(ValueError, match="another event loop"):
        asyncio.run(submit())
    first.run_until_complete(client.aclose())
    first.close()
    assert client.mirrored.sent == 1


def test_counts_of_a_loop_that_closed_stay(fake: FakeService) -> None:
    fake.always(routed("vendor/b"), delay=30)
    client = RoutingClient(fake.target)

    async def submit() -> None:
        assert client.mirror("Hi", **ASK)
        await asyncio.sleep(0)

    asyncio.run(submit())
    fake.always(routed("vendor/b"))

    async def once_more() -> MirrorCounts:
        assert client.mirror("Hi", **ASK)
        await client.aclose()
        return client.mirrored

    counts = asyncio.run(once_more())
    assert (counts.submitted, counts.sent, counts.waiting, counts.in_flight) == (2, 1, 0, 0)
    assert counts.dropped + counts.failed == 1
