# ruff: noqa: ASYNC109  # the signature is the port's
"""Mirroring: bounded, counted, never in the caller's way."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from opentelemetry.context import attach, detach
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from pointsman_client import (
    Fallback,
    Mirror,
    MirrorCounts,
    MirrorLimits,
    NormalisedPrompt,
    RouteRequest,
    RouteResult,
    RoutingClient,
    Unavailable,
)
from pointsman_client.decode import to_result
from pointsman_client.testing import FOREVER, FakeService, Refusal, routed

REQUEST = RouteRequest(prompt=NormalisedPrompt(user_prompt_prefix="Hi"), user_id="u")
RESULT = to_result(routed("vendor/b"))


class Gate:
    """An `Ask` that answers once it is opened, and knows how many wait at it."""

    def __init__(self, *, error: Exception | None = None) -> None:
        self._open = asyncio.Event()
        self._error = error
        self.waiting = self.most_waiting = 0

    async def __call__(self, request: RouteRequest, *, timeout: float) -> RouteResult:
        self.waiting += 1
        self.most_waiting = max(self.waiting, self.most_waiting)
        try:
            await self._open.wait()
        finally:
            self.waiting -= 1
        if self._error:
            raise self._error
        return RESULT

    def open(self) -> None:
        self._open.set()


def balances(counts: MirrorCounts) -> bool:
    known = (counts.sent, counts.failed, counts.dropped, counts.waiting, counts.in_flight)
    return counts.submitted == sum(known)


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_what_is_mirrored_arrives_and_is_counted(fake: FakeService) -> None:
    fake.always(routed("vendor/b"))
    async with RoutingClient(fake.target, mirror=MirrorLimits(drain=30, timeout=30)) as client:
        assert all(client.mirror(f"prompt {n}", user_id="u") for n in range(10))
    assert len(fake.calls) == 10
    assert client.mirrored == MirrorCounts(submitted=10, sent=10)


async def test_a_full_queue_drops_and_counts_and_nobody_waits() -> None:
    gate = Gate()
    mirror = Mirror(gate, limits=MirrorLimits(waiting=3, workers=2, drain=30))
    assert [mirror.submit(REQUEST) for _ in range(3)] == [True] * 3
    await settle()
    assert [mirror.submit(REQUEST) for _ in range(4)] == [True, True, False, False]
    counts = mirror.counts
    assert (counts.in_flight, counts.waiting, counts.dropped) == (2, 3, 2)
    assert balances(counts)
    gate.open()
    await mirror.aclose()
    assert mirror.counts == MirrorCounts(submitted=7, sent=5, dropped=2)
    assert gate.most_waiting == 2


async def test_what_is_dropped_costs_no_reading_of_its_body() -> None:
    class Unread(dict[str, object]):
        def get(self, *_: Any) -> Any:
            pytest.fail("a dropped body was read")

    mirror = Mirror(Gate(), limits=MirrorLimits(waiting=1, drain=0))
    mirror.submit(REQUEST)
    assert not mirror.submit(Unread(), api_kind="messages", user_id="u")
    await mirror.aclose()


async def test_a_slow_service_is_given_up_after_the_timeout(fake: FakeService) -> None:
    fake.always(routed("vendor/b"), delay=FOREVER)
    async with RoutingClient(fake.target, mirror=MirrorLimits(timeout=0.05, drain=30)) as client:
        client.mirror("Hi", user_id="u")
    assert client.mirrored == MirrorCounts(submitted=1, failed=1, failures={Fallback.DEADLINE: 1})


async def test_closing_waits_no_longer_than_the_drain(fake: FakeService) -> None:
    fake.always(routed("vendor/b"), delay=FOREVER)
    limits = MirrorLimits(workers=2, timeout=3_600, drain=0.05)
    async with RoutingClient(fake.target, mirror=limits) as client:
        for _ in range(5):
            client.mirror("Hi", user_id="u")
    counts = client.mirrored
    assert (counts.sent, counts.failed, counts.dropped) == (0, 2, 3)
    assert counts.failures == {Fallback.CLOSED: 2}
    assert balances(counts)


async def test_failures_are_counted_by_their_cause(fake: FakeService) -> None:
    fake.answer(Refusal(status="UNAUTHENTICATED"))
    fake.answer(Refusal(status="INTERNAL"))
    fake.answer(routed("vendor/b"))
    async with RoutingClient(fake.target, mirror=MirrorLimits(workers=1, drain=30)) as client:
        for _ in range(3):
            client.mirror("Hi", user_id="u")
    assert client.mirrored.failures == {Fallback.DENIED: 1, Fallback.SERVICE_FAULT: 1}
    assert client.mirrored.sent == 1


@pytest.mark.parametrize(
    ("error", "cause"),
    [(Unavailable("x"), Fallback.UNAVAILABLE), (ZeroDivisionError(), Fallback.CLIENT_FAULT)],
)
async def test_no_failure_ends_a_worker(error: Exception, cause: Fallback) -> None:
    gate = Gate(error=error)
    gate.open()
    mirror = Mirror(gate, limits=MirrorLimits(workers=1, drain=30))
    for _ in range(3):
        mirror.submit(REQUEST)
    await mirror.aclose()
    assert mirror.counts == MirrorCounts(submitted=3, failed=3, failures={cause: 3})


async def test_a_body_that_cannot_be_read_is_a_failure_and_no_exception() -> None:
    mirror = Mirror(Gate())
    assert not mirror.submit({"model": "m"}, api_kind="messages", user_id="u")
    assert mirror.counts == MirrorCounts(submitted=1, failed=1, failures={Fallback.INVALID: 1})
    await mirror.aclose()


async def test_a_wrong_type_raises_and_is_not_counted() -> None:
    mirror = Mirror(Gate())
    with pytest.raises(TypeError, match="user_id"):
        mirror.submit("Hi", user_id=7)  # type: ignore[arg-type]
    assert mirror.counts == MirrorCounts()
    await mirror.aclose()


async def test_after_closing_everything_is_dropped() -> None:
    mirror = Mirror(Gate())
    await mirror.aclose()
    assert not mirror.submit(REQUEST)
    assert mirror.counts == MirrorCounts(submitted=1, dropped=1)


async def test_no_task_outlives_the_mirror() -> None:
    before = asyncio.all_tasks()
    mirror = Mirror(Gate(), limits=MirrorLimits(workers=3, drain=0))
    mirror.submit(REQUEST)
    assert len(asyncio.all_tasks() - before) == 3
    await mirror.aclose()
    assert asyncio.all_tasks() == before


async def test_each_mirrored_request_stays_in_the_trace_that_it_came_from(
    fake: FakeService,
) -> None:
    fake.always(routed("vendor/b"))
    wanted = [f"00-{n:032x}-{n:016x}-01" for n in (1, 2, 3)]
    async with RoutingClient(fake.target, mirror=MirrorLimits(drain=30, timeout=30)) as client:
        for traceparent in wanted:
            context = TraceContextTextMapPropagator().extract({"traceparent": traceparent})
            token = attach(context)
            client.mirror("Hi", user_id="u")
            detach(token)
        client.mirror("Hi", user_id="u")
    sent = [call.metadata.get("traceparent", "") for call in fake.calls]
    assert sorted(sent) == ["", *wanted]


async def test_what_waits_holds_no_body() -> None:
    mirror = Mirror(Gate(), limits=MirrorLimits(drain=0))
    body = {"model": "m", "messages": [{"role": "user", "content": "x" * 1_000_000}]}
    mirror.submit(body, api_kind="chat_completions", user_id="u")
    waiting, _ = mirror._queue.get_nowait()
    assert waiting.prompt.user_prompt_prefix == "x" * 1_000
    await mirror.aclose()


@pytest.mark.parametrize("limits", [{"waiting": 0}, {"workers": 0}])
def test_limits_leave_room_for_something(limits: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        MirrorLimits(**limits)
