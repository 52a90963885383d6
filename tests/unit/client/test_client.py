"""`RoutingClient` over a real socket: what comes back, deadlines, closing, offered models."""

from __future__ import annotations

import asyncio

import pytest
from pointsman_client import (
    ClientClosed,
    ClientFault,
    DeadlineExceeded,
    Fallback,
    Outcome,
    Reason,
    RoutingClient,
    RoutingError,
    ServiceFault,
    Unavailable,
    UnusableBody,
    session,
)
from pointsman_client.testing import FOREVER, FakeService, Refusal, not_routed, routed
from support.client_calls import ASK, unused_target

# ---------------------------------------------------------------- what comes back


async def test_route_answers_what_the_service_answered(
    fake: FakeService, client: RoutingClient
) -> None:
    fake.answer(routed("vendor/b", serve_model="vendor/a", shadow=True, difficulty="easy"))
    result = await client.route("Hi", **ASK)
    assert result.outcome is Outcome.ROUTED
    assert result.serve_model == "vendor/a"
    assert result.decision is not None
    assert (result.decision.model, result.decision.difficulty) == ("vendor/b", "easy")


async def test_decide_takes_the_model_that_the_service_says_to_serve(
    fake: FakeService, client: RoutingClient
) -> None:
    fake.answer(routed("vendor/b"))
    fake.answer(routed("vendor/b", serve_model="vendor/a", shadow=True))
    fake.answer(not_routed("skipped", reason=Reason.NO_PROMPT, serve_model="vendor/a"))
    choices = [await client.decide("Hi", **ASK) for _ in range(3)]
    assert [(choice.model, choice.why) for choice in choices] == [
        ("vendor/b", "routed"),
        ("vendor/a", "shadow"),
        ("vendor/a", "skipped:no_prompt"),
    ]
    assert all(choice.fallback is None and choice.error is None for choice in choices)


async def test_decide_answers_the_static_pick_and_why_when_the_service_is_down() -> None:
    async with RoutingClient(unused_target(), decide_timeout=30) as client:
        choice = await client.decide("Hi", **ASK)
        with pytest.raises(Unavailable):
            await client.route("Hi", timeout=30, **ASK)
    assert choice.model == "vendor/a"
    assert choice.fallback is Fallback.UNAVAILABLE
    assert choice.why == "fallback:unavailable"
    assert choice.result is None


async def test_decide_answers_the_static_pick_for_a_body_that_cannot_be_read(
    fake: FakeService, client: RoutingClient
) -> None:
    choice = await client.decide({"model": "m"}, api_kind="messages", **ASK)
    assert (choice.model, choice.fallback) == ("vendor/a", Fallback.INVALID)
    assert isinstance(choice.error, UnusableBody)
    assert fake.calls == []


async def test_decide_without_a_static_pick_falls_back_to_nothing() -> None:
    async with RoutingClient(unused_target(), decide_timeout=30) as client:
        assert (await client.decide("Hi", user_id="u", tier="t")).model == ""


async def test_a_bug_in_the_client_is_a_fault_with_its_cause_and_decide_survives_it(
    fake: FakeService, client: RoutingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(message: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(session, "to_result", broken)
    fake.always(routed("vendor/b"))
    choice = await client.decide("Hi", **ASK)
    assert (choice.model, choice.fallback) == ("vendor/a", Fallback.CLIENT_FAULT)
    with pytest.raises(ClientFault) as caught:
        await client.route("Hi", **ASK)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


# ---------------------------------------------------------------- deadlines


async def test_a_service_that_does_not_answer_ends_at_the_deadline(fake: FakeService) -> None:
    fake.always(routed("vendor/b"), delay=FOREVER)
    async with RoutingClient(fake.target, timeout=0.05, decide_timeout=0.05) as client:
        with pytest.raises(DeadlineExceeded) as caught:
            await client.route("Hi", **ASK)
        assert caught.value.retryable
        choice = await client.decide("Hi", **ASK)
    assert (choice.model, choice.why) == ("vendor/a", "fallback:deadline")


async def test_every_call_travels_with_its_deadline(fake: FakeService) -> None:
    fake.always(routed("vendor/b"))
    async with RoutingClient(fake.target, timeout=50, decide_timeout=40) as client:
        await client.route("Hi", **ASK)
        await client.decide("Hi", **ASK)
        await client.decide("Hi", timeout=30, **ASK)
    for call, most in zip(fake.calls, (50, 40, 30), strict=True):
        assert call.timeout is not None
        # gRPC rounds what it sends up to three digits.
        assert most - 10 < call.timeout < most + 1


async def test_a_deadline_that_has_passed_asks_nobody(
    fake: FakeService, client: RoutingClient
) -> None:
    choice = await client.decide("Hi", timeout=0, **ASK)
    assert choice.fallback is Fallback.DEADLINE
    assert fake.calls == []


# ---------------------------------------------------------------- cancelling and closing


async def test_the_callers_own_cancellation_stays_one(
    fake: FakeService, client: RoutingClient
) -> None:
    fake.answer(routed("vendor/b"), delay=FOREVER)
    task = asyncio.create_task(client.decide("Hi", **ASK))
    await fake.asked(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_closing_ends_the_calls_in_flight_with_an_error_of_their_own(
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


async def test_a_closed_client_says_so_and_may_be_closed_again(
    fake: FakeService, client: RoutingClient
) -> None:
    await client.aclose()
    await client.aclose()
    assert (await client.decide("Hi", **ASK)).fallback is Fallback.CLOSED
    with pytest.raises(ClientClosed):
        await client.describe()


async def test_a_client_that_never_asked_closes() -> None:
    async with RoutingClient(unused_target()):
        pass


async def test_many_calls_share_one_client(fake: FakeService, client: RoutingClient) -> None:
    fake.always(routed("vendor/b"))
    choices = await asyncio.gather(*(client.decide("Hi", **ASK) for _ in range(200)))
    assert {choice.why for choice in choices} == {"routed"}


async def test_what_decide_cannot_answer_is_always_a_routing_error(
    fake: FakeService, client: RoutingClient
) -> None:
    fake.answer(Refusal(status="INTERNAL"))
    choice = await client.decide("Hi", **ASK)
    assert isinstance(choice.error, RoutingError)
    assert choice.error.__cause__ is None
    assert choice.error.__suppress_context__


# ---------------------------------------------------------------- what was offered


async def test_a_model_that_was_not_offered_is_refused(
    fake: FakeService, client: RoutingClient
) -> None:
    offer = {**ASK, "candidates": ("vendor/a", "vendor/b"), "static_pick": "vendor/s"}
    for model in ("vendor/a", "vendor/b", "vendor/s"):
        fake.answer(routed(model))
        assert (await client.decide("Hi", **offer)).model == model
    fake.answer(routed("vendor/z"))
    choice = await client.decide("Hi", **offer)
    assert (choice.model, choice.fallback) == ("vendor/s", Fallback.SERVICE_FAULT)
    fake.answer(routed("vendor/z"))
    with pytest.raises(ServiceFault, match="did not offer"):
        await client.route("Hi", **offer)


async def test_ids_are_compared_as_the_service_trims_them(
    fake: FakeService, client: RoutingClient
) -> None:
    fake.answer(routed("vendor/a"))
    choice = await client.decide("Hi", **{**ASK, "candidates": (" vendor/a ", "vendor/b")})
    assert (choice.model, choice.why) == ("vendor/a", "routed")


async def test_without_candidates_the_service_has_its_own(
    fake: FakeService, client: RoutingClient
) -> None:
    fake.answer(routed("vendor/z"))
    assert (await client.decide("Hi", **{**ASK, "candidates": ()})).model == "vendor/z"
