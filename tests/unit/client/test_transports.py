"""`decide` by each transport: what it answers, what it costs in an outage, how it ends."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest
from opentelemetry.sdk.trace import TracerProvider
from pointsman.v1 import route_decision_pb2 as pb
from pointsman.v1 import routing_service_pb2_grpc
from pointsman.v1 import stream_route_decisions_pb2 as stream_pb
from pointsman_client import (
    ClientClosed,
    Denied,
    Fallback,
    InvalidRequest,
    Overloaded,
    RoutingClient,
    Transport,
    Unsupported,
    testing,
)
from pointsman_client import pending_decision as asked
from pointsman_client.testing import FOREVER, FakeService, Refusal, routed

ASK: dict[str, Any] = {"user_id": "u-1", "tier": "t", "static_pick": "vendor/a"}
SHARED = [Transport.STREAM, Transport.BATCH]


@pytest.fixture(params=list(Transport))
async def client(request: Any, fake: FakeService) -> AsyncIterator[RoutingClient]:
    transport: Transport = request.param
    async with RoutingClient(
        fake.target, timeout=30, decide_timeout=30, transport=transport
    ) as opened:
        yield opened


@pytest.fixture(params=SHARED)
async def shared(request: Any, fake: FakeService) -> AsyncIterator[RoutingClient]:
    transport: Transport = request.param
    async with RoutingClient(
        fake.target, timeout=30, decide_timeout=30, transport=transport
    ) as opened:
        yield opened


def test_a_transport_that_does_not_exist_is_a_mistake_of_the_code() -> None:
    with pytest.raises(ValueError, match="pigeon"):
        RoutingClient("127.0.0.1:1", transport="pigeon")


# ---------------------------------------------------------------- the same by all


async def test_what_is_asked_and_what_is_answered_is_the_same(
    fake: FakeService, client: RoutingClient
) -> None:
    fake.answer(routed("vendor/b", difficulty="easy"))
    result = await client.route("Hi", session_id="s", **ASK)
    assert (result.serve_model, result.decision and result.decision.difficulty) == (
        "vendor/b",
        "easy",
    )
    assert fake.calls[0].request.caller == pb.Caller(user_id="u-1", session_id="s")
    timeout = fake.calls[0].timeout
    assert timeout is not None
    assert 20 < timeout < 31


async def test_refusals_are_the_same_errors_with_the_same_facts(
    fake: FakeService, client: RoutingClient
) -> None:
    fake.answer(
        Refusal(
            status="INVALID_ARGUMENT",
            reason="INVALID_FIELD",
            violations=[("caller.user_id", "is bad")],
        )
    )
    with pytest.raises(InvalidRequest) as refused:
        await client.route("Hi", **ASK)
    assert (refused.value.status, refused.value.reason) == ("INVALID_ARGUMENT", "INVALID_FIELD")
    assert str(refused.value) == "INVALID_ARGUMENT: caller.user_id: is bad"


async def test_one_that_is_refused_fails_no_other(fake: FakeService, client: RoutingClient) -> None:
    fake.answer(routed("vendor/b"))
    fake.answer(Refusal(status="INTERNAL"))
    fake.answer(routed("vendor/b"))
    choices = await asyncio.gather(*(client.decide("Hi", **ASK) for _ in range(3)))
    assert Counter(c.why for c in choices) == {"routed": 2, "fallback:service_fault": 1}


async def test_a_service_that_pushes_back_is_asked_again_when_it_says(
    fake: FakeService, client: RoutingClient
) -> None:
    fake.answer(Refusal(status="RESOURCE_EXHAUSTED", reason="OVERLOADED", retry_after=0.01))
    fake.answer(routed("vendor/b"))
    assert (await client.decide("Hi", **ASK)).why == "routed"


async def test_a_decision_that_hangs_costs_its_deadline_and_no_other(
    fake: FakeService, shared: RoutingClient
) -> None:
    fake.always(routed("vendor/b"), delay=FOREVER)
    choice = await shared.decide("Hi", timeout=0.05, **ASK)
    assert choice.why == "fallback:deadline"
    fake.always(routed("vendor/b"))
    assert (await shared.decide("Hi", **ASK)).why == "routed"


async def test_4000_decisions_at_once_lose_none(fake: FakeService, client: RoutingClient) -> None:
    fake.always(routed("vendor/b"))
    choices = await asyncio.gather(*(client.decide(str(n), **ASK) for n in range(4_000)))
    assert Counter(c.why for c in choices) == {"routed": 4_000}
    assert len({c.request.prompt.user_prompt_prefix for c in fake.calls}) == 4_000


async def test_more_than_may_wait_get_the_static_pick(
    fake: FakeService, shared: RoutingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asked, "MOST_WAITING", 2)
    fake.always(routed("vendor/b"), delay=0.05)
    choices = await asyncio.gather(*(shared.decide("Hi", **ASK) for _ in range(3)))
    assert [c.why for c in choices] == ["routed", "routed", "fallback:overloaded"]
    assert isinstance(choices[2].error, Overloaded)
    assert (await shared.decide("Hi", **ASK)).why == "routed"


async def test_the_callers_own_cancellation_stays_one_and_harms_no_other(
    fake: FakeService, shared: RoutingClient
) -> None:
    fake.always(routed("vendor/b"), delay=0.1)
    gone, staying = (asyncio.create_task(shared.decide("Hi", **ASK)) for _ in range(2))
    await fake.asked(2)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert (await staying).why == "routed"


async def test_closing_ends_what_is_on_its_way_with_an_error_of_its_own(
    fake: FakeService, client: RoutingClient
) -> None:
    fake.always(routed("vendor/b"), delay=FOREVER)
    route = asyncio.create_task(client.route("Hi", **ASK))
    decide = asyncio.create_task(client.decide("Hi", **ASK))
    await fake.asked(2)
    await client.aclose()
    with pytest.raises(ClientClosed):
        await route
    assert (await decide).why == "fallback:closed"
    assert (await client.decide("Hi", **ASK)).why == "fallback:closed"
    await client.aclose()


@pytest.mark.parametrize("transport", SHARED)
async def test_a_client_that_never_asked_closes(transport: Transport) -> None:
    async with RoutingClient("127.0.0.1:1", transport=transport):
        pass


@pytest.mark.parametrize("transport", SHARED)
async def test_a_service_that_is_down_costs_the_static_pick(transport: Transport) -> None:
    async with RoutingClient("127.0.0.1:1", transport=transport, decide_timeout=30) as client:
        choices = [await client.decide("Hi", **ASK) for _ in range(3)]
    assert {(c.model, c.fallback) for c in choices} == {("vendor/a", Fallback.UNAVAILABLE)}


@pytest.mark.parametrize("transport", SHARED)
async def test_a_token_that_cannot_be_had_denies(fake: FakeService, transport: Transport) -> None:
    def no_token() -> str:
        raise OSError("gone")

    async with RoutingClient(
        fake.target, transport=transport, token=no_token, decide_timeout=30
    ) as client:
        choices = await asyncio.gather(*(client.decide("Hi", **ASK) for _ in range(2)))
    assert {type(c.error) for c in choices} == {Denied}
    assert choices[0].error is not choices[1].error


@pytest.mark.parametrize("transport", SHARED)
async def test_a_token_goes_with_the_call(fake: FakeService, transport: Transport) -> None:
    fake.always(routed("vendor/b"))
    async with RoutingClient(
        fake.target, transport=transport, token="s3cret", decide_timeout=30
    ) as client:
        await client.decide("Hi", **ASK)
    assert fake.calls[0].metadata["authorization"] == "Bearer s3cret"


@pytest.mark.parametrize("transport", SHARED)
async def test_an_older_service_does_not_know_the_call(transport: Transport) -> None:
    server = grpc.aio.server()
    register: Any = routing_service_pb2_grpc.add_RoutingServiceServicer_to_server
    register(routing_service_pb2_grpc.RoutingServiceServicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with RoutingClient(f"127.0.0.1:{port}", transport=transport, decide_timeout=30) as client:
        assert isinstance((await client.decide("Hi", **ASK)).error, Unsupported)
    await server.stop(None)


# ---------------------------------------------------------------- batches


async def test_what_is_asked_in_one_turn_shares_a_call(calls: list[Any], fake: FakeService) -> None:
    fake.always(routed("vendor/b"))
    async with RoutingClient(fake.target, transport="batch", decide_timeout=30) as client:
        await asyncio.gather(*(client.decide("Hi", **ASK) for _ in range(300)))
        assert sorted(len(c.requests) for c in calls) == [44, 256]


async def test_turns_of_one_session_asked_at_once_do_not_wait_for_each_other(
    calls: list[Any], fake: FakeService
) -> None:
    """The service would decide them in order, each after the engine's answer to the one before."""
    fake.always(routed("vendor/b"))
    sessions = ["a", "b", "a", " a ", None, "b", "c"]
    async with RoutingClient(fake.target, transport="batch", decide_timeout=30) as client:
        await asyncio.gather(*(client.decide("Hi", session_id=s, **ASK) for s in sessions))
    batches = sorted([r.caller.session_id.strip() for r in c.requests] for c in calls)
    assert batches == [["a"], ["a", "b"], ["a", "b", "", "c"]]


async def test_parallel_turns_of_one_session_make_few_calls_each_in_their_order(
    calls: list[Any], fake: FakeService
) -> None:
    fake.always(routed("vendor/b"))
    async with RoutingClient(fake.target, transport="batch", decide_timeout=30) as client:
        await asyncio.gather(*(client.decide(f"{at}", session_id="s", **ASK) for at in range(1500)))
    asked = sorted([int(r.prompt.user_prompt_prefix) for r in c.requests] for c in calls)
    assert asked == [list(range(first, 1500, 16)) for first in range(16)]


@pytest.mark.parametrize("turns", range(4))
async def test_close_ends_decisions_at_once_however_far_their_call_is(
    fake: FakeService, turns: int
) -> None:
    """A call that is cancelled before its first step never runs: nobody would answer."""
    client = RoutingClient(fake.target, transport="batch", decide_timeout=30)
    deciding = asyncio.create_task(client.decide("Hi", **ASK))
    for _ in range(turns + 1):
        await asyncio.sleep(0)
    await client.aclose()
    async with asyncio.timeout(10):
        choice = await deciding
    assert choice.why == "fallback:closed"


async def test_sub_agents_of_one_session_share_a_batch(calls: list[Any], fake: FakeService) -> None:
    fake.always(routed("vendor/b"))
    async with RoutingClient(fake.target, transport="batch", decide_timeout=30) as client:
        await asyncio.gather(
            *(client.decide("Hi", session_id="s", agent_id=a, **ASK) for a in (None, "x", "y"))
        )
    assert [len(c.requests) for c in calls] == [3]


async def test_a_batch_belongs_to_a_trace_only_if_all_of_it_does(fake: FakeService) -> None:
    fake.always(routed("vendor/b"))
    tracer = TracerProvider().get_tracer("test")
    async with RoutingClient(fake.target, transport="batch", decide_timeout=30) as client:

        async def ask() -> None:
            with tracer.start_as_current_span("request"):
                await client.decide("Hi", **ASK)

        await ask()
        await asyncio.gather(ask(), ask())
    assert ["traceparent" in c.metadata for c in fake.calls] == [True, False, False]


# ---------------------------------------------------------------- streams


async def test_all_decisions_share_one_stream_each_with_its_own_trace(
    calls: list[Any], fake: FakeService
) -> None:
    fake.always(routed("vendor/b"))
    tracer = TracerProvider().get_tracer("test")
    traces = set()
    async with RoutingClient(fake.target, transport="stream", decide_timeout=30) as client:

        async def ask() -> None:
            with tracer.start_as_current_span("request") as span:
                traces.add(f"{span.get_span_context().trace_id:032x}")
                await client.decide("Hi", **ASK)

        await asyncio.gather(ask(), ask())
        await ask()
    assert len(calls) == 1
    assert {c.metadata["traceparent"].split("-")[1] for c in fake.calls} == traces
    assert len(traces) == 3


async def test_a_slow_decision_holds_up_no_other_on_the_stream(fake: FakeService) -> None:
    fake.answer(routed("vendor/slow"), delay=FOREVER)
    fake.answer(routed("vendor/fast"))
    async with RoutingClient(fake.target, transport="stream", decide_timeout=30) as client:
        slow = asyncio.create_task(client.decide("Hi", **ASK))
        await fake.asked(1)
        assert (await client.decide("Hi", **ASK)).model == "vendor/fast"
        slow.cancel()
        await asyncio.gather(slow, return_exceptions=True)


class Breaking(routing_service_pb2_grpc.RoutingServiceServicer):
    """Breaks the streams that it is told to, at the first request; answers on the others."""

    def __init__(self, *breaks: grpc.StatusCode | None) -> None:
        self.breaks = list(breaks)
        self.streams = 0

    async def StreamRouteDecisions(self, _requests: Any, context: Any) -> None:  # noqa: N802
        self.streams += 1
        code = self.breaks.pop(0) if self.breaks else None
        while (item := await context.read()) is not grpc.aio.EOF:
            if code is not None:
                await context.abort(code, "broken")
            await context.write(
                stream_pb.StreamRouteDecisionsResponse(
                    correlation_id=item.correlation_id, response=routed("vendor/b")
                )
            )


@asynccontextmanager
async def breaking(servicer: Breaking, *, retries: int) -> AsyncIterator[RoutingClient]:
    server = grpc.aio.server()
    register: Any = routing_service_pb2_grpc.add_RoutingServiceServicer_to_server
    register(servicer, server)
    target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        async with RoutingClient(
            target, transport="stream", decide_timeout=30, retries=retries
        ) as client:
            yield client
    finally:
        await server.stop(None)


# UNKNOWN and INTERNAL without a reason are what gRPC says of some connections that break.
@pytest.mark.parametrize("code", ["UNAVAILABLE", "UNKNOWN", "INTERNAL"])
async def test_a_stream_that_breaks_before_it_answers_is_tried_again_as_often_as_a_call(
    code: str,
) -> None:
    status = grpc.StatusCode[code]
    servicer = Breaking(status, status)
    async with breaking(servicer, retries=2) as client:
        assert (await client.decide("Hi", **ASK)).why == "routed"
    assert servicer.streams == 3


async def test_an_outage_costs_the_retries_once_and_further_decisions_one_attempt_each() -> None:
    servicer = Breaking(*[grpc.StatusCode.UNAVAILABLE] * 4)
    async with breaking(servicer, retries=2) as client:
        streams = []
        for _ in range(3):
            choice = await client.decide("Hi", **ASK)
            streams.append((choice.why, servicer.streams))
    unavailable = "fallback:unavailable"
    assert streams == [(unavailable, 3), (unavailable, 4), ("routed", 5)]


async def test_a_stream_that_is_refused_is_not_tried_again() -> None:
    servicer = Breaking(grpc.StatusCode.PERMISSION_DENIED)
    async with breaking(servicer, retries=2) as client:
        assert (await client.decide("Hi", **ASK)).why == "fallback:denied"
    assert servicer.streams == 1


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every stream and batch that a fake service gets: its request, or what stands for it."""
    found: list[Any] = []

    def count(name: str) -> None:
        whole = getattr(testing._Servicer, name)

        async def counted(self: Any, request: Any, context: Any) -> Any:
            found.append(request)
            return await whole(self, request, context)

        monkeypatch.setattr(testing._Servicer, name, counted)

    count("StreamRouteDecisions")
    count("BatchRouteDecisions")
    return found
