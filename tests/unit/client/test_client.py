"""`RoutingClient` over a real socket: what is sent, what comes back, deadlines, closing."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import pytest
from pointsman.v1 import route_decision_pb2 as pb
from pointsman_client import (
    ApiKind,
    ClientClosed,
    ClientFault,
    Constraints,
    DataPolicy,
    DeadlineExceeded,
    Fallback,
    InvalidRequest,
    Modality,
    NormalisedPrompt,
    Outcome,
    Reason,
    RouteRequest,
    RoutingClient,
    RoutingError,
    ServiceFault,
    Unavailable,
    UnusableBody,
    session,
)
from pointsman_client.testing import FOREVER, FakeService, Refusal, not_routed, routed

ASK: dict[str, Any] = {
    "user_id": "u-1",
    "tier": "kilo-auto/frontier",
    "candidates": ["vendor/a", "vendor/b"],
    "static_pick": "vendor/a",
}
BODY = {
    "model": "kilo-auto/frontier",
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "Look."}, {"type": "image_url"}]}
    ],
    "tools": [{"type": "function"}],
    "provider": {"zdr": True},
}


def unused_target() -> str:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{closed.getsockname()[1]}"


# ---------------------------------------------------------------- what is sent


async def test_a_plain_prompt_is_sent_trimmed_with_its_routing(
    fake: FakeService, client: RoutingClient
) -> None:
    fake.answer(routed("vendor/b"))
    await client.route("  Fix the build. ", **ASK)
    assert fake.calls[0].request == pb.RouteDecisionRequest(
        prompt=pb.Prompt(user_prompt_prefix="Fix the build."),
        caller=pb.Caller(user_id="u-1"),
        routing=pb.RoutingContext(
            auto_model="kilo-auto/frontier",
            candidate_models=["vendor/a", "vendor/b"],
            resolved_model="vendor/a",
        ),
        constraints=pb.Constraints(),
    )


async def test_every_field_of_a_request_has_its_place_in_the_message(
    fake: FakeService, client: RoutingClient
) -> None:
    request = RouteRequest(
        prompt=NormalisedPrompt(
            user_prompt_prefix="first",
            latest_user_prompt_prefix="latest",
            system_prompt_prefix="system",
            api_kind=ApiKind.MESSAGES,
            message_count=3,
            has_tools=True,
            stream=True,
            max_output_tokens=4,
            context_reset=True,
        ),
        user_id="u",
        session_id="s",
        machine_id="m",
        client_request_id="c",
        mode="code",
        user_agent="agent",
        organization_id="o",
        agent_id="a",
        tier="t",
        candidates=("a", "b"),
        static_pick="a",
        incumbent_model="i",
        constraints=Constraints(
            required_inputs=frozenset(Modality),
            prompt_tokens_estimate=7,
            requires_tools=True,
            denied_models=("d",),
            keep_provider=True,
        ),
        data_policy=DataPolicy.THIRD_PARTY_ALLOWED,
        requested_model="r",
        body_bytes=9,
        classify=True,
        dry_run=True,
    )
    fake.answer(routed("b"))
    await client.route(request)
    sent = fake.calls[0].request
    for message in (sent, sent.prompt, sent.caller, sent.routing, sent.constraints):
        unset = set(message.DESCRIPTOR.fields_by_name) - {f.name for f, _ in message.ListFields()}
        assert unset == set()
    assert sent.prompt.latest_user_prompt_prefix == "latest"
    assert sent.prompt.api_kind == pb.API_KIND_MESSAGES
    assert sent.data_policy == pb.DATA_POLICY_THIRD_PARTY_ALLOWED
    assert len(sent.constraints.required_inputs) == len(Modality)
    assert pb.MODALITY_UNSPECIFIED not in sent.constraints.required_inputs


async def test_a_body_says_itself_what_it_needs(fake: FakeService, client: RoutingClient) -> None:
    fake.answer(routed("vendor/b"))
    await client.route(BODY, api_kind="chat_completions", **ASK)
    sent = fake.calls[0].request
    assert sent.prompt.user_prompt_prefix == "Look."
    assert sent.prompt.has_tools
    assert sent.constraints.requires_tools
    assert list(sent.constraints.required_inputs) == [pb.MODALITY_IMAGE]
    assert sent.requested_model == "kilo-auto/frontier"
    assert sent.data_policy == pb.DATA_POLICY_THIRD_PARTY_DENIED


async def test_a_body_that_differs_in_what_changes_every_time_is_sent_alike(
    fake: FakeService, client: RoutingClient
) -> None:
    fake.always(routed("vendor/b"))
    for nonce in ("a1b2c", "d4e5f", "07a8b"):
        line = f"x-anthropic-billing-header: cc_version=2.1.77.{nonce}; cch={nonce};"
        body = {
            "model": "t",
            "max_tokens": 9,
            "system": [{"type": "text", "text": line}, {"type": "text", "text": "You help."}],
            "messages": [{"role": "user", "content": "Why?"}],
        }
        await client.decide(body, api_kind="messages", **ASK)
    requests = [call.request for call in fake.calls]
    assert requests[0] == requests[1] == requests[2]
    assert requests[0].prompt.system_prompt_prefix == "You help."
    assert requests[0].body_bytes == pytest.approx(len(json.dumps(body)), rel=0.1)
    assert requests[0].prompt.max_output_tokens == 9


async def test_nothing_allows_what_the_body_opts_out_of(
    fake: FakeService, client: RoutingClient
) -> None:
    fake.answer(routed("vendor/b"))
    allowed = DataPolicy.THIRD_PARTY_ALLOWED
    await client.route(BODY, api_kind="chat_completions", data_policy=allowed, **ASK)
    assert fake.calls[0].request.data_policy == pb.DATA_POLICY_THIRD_PARTY_DENIED


async def test_constraints_that_are_given_replace_those_of_the_body(
    fake: FakeService, client: RoutingClient
) -> None:
    fake.answer(routed("vendor/b"))
    await client.route(BODY, api_kind="chat_completions", constraints=Constraints(), **ASK)
    assert fake.calls[0].request.constraints == pb.Constraints()


async def test_fields_beside_a_request_replace_its_own(
    fake: FakeService, client: RoutingClient
) -> None:
    fake.answer(routed("vendor/b"))
    request = RouteRequest(prompt=NormalisedPrompt(), user_id="u-1", session_id="s-1")
    await client.route(request, session_id="s-2")
    caller = fake.calls[0].request.caller
    assert (caller.user_id, caller.session_id) == ("u-1", "s-2")


async def test_without_a_tier_there_is_no_routing_context(
    fake: FakeService, client: RoutingClient
) -> None:
    fake.answer(not_routed("off", reason=Reason.NO_ROUTING_CONTEXT))
    choice = await client.decide("Hi", user_id="u", static_pick="vendor/a")
    assert not fake.calls[0].request.HasField("routing")
    assert (choice.model, choice.why) == ("vendor/a", "off:no_routing_context")


async def test_candidates_without_a_tier_are_the_services_to_refuse(
    fake: FakeService, client: RoutingClient
) -> None:
    fake.answer(Refusal(status="INVALID_ARGUMENT", violations=[("routing.auto_model", "missing")]))
    with pytest.raises(InvalidRequest):
        await client.route("Hi", user_id="u", candidates=["vendor/a"])
    assert fake.calls[0].request.routing.auto_model == ""


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"user_id": "\ud83d"}, "caller.user_id"),
        ({"user_id": "u", "candidates": ["a", "\udc00"]}, "routing.candidate_models[1]"),
        ({"user_id": "u", "body_bytes": -1}, "body_bytes"),
        ({"user_id": "u", "user_agent": "a" * 70_000}, "request"),
        (
            {"user_id": "u", "constraints": Constraints(prompt_tokens_estimate=2**32)},
            "constraints.prompt_tokens_estimate",
        ),
    ],
)
async def test_what_no_message_can_carry_is_named_and_not_sent(
    fake: FakeService, client: RoutingClient, fields: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await client.route("Hi", **fields)
    assert [each.field for each in caught.value.violations] == [field]
    assert fake.calls == []


# ---------------------------------------------------------------- what is a mistake of the code


@pytest.mark.parametrize(
    ("prompt", "fields", "name"),
    [
        (7, {"user_id": "u"}, "prompt"),
        ({"model": "m"}, {"user_id": "u"}, "api_kind"),
        ("Hi", {}, "user_id"),
        ("Hi", {"user_id": 7}, "user_id"),
        ("Hi", {"user_id": "u", "candidates": "vendor/a"}, "candidates"),
        ("Hi", {"user_id": "u", "candidates": [7]}, "candidates"),
        ("Hi", {"user_id": "u", "body_bytes": True}, "body_bytes"),
        ("Hi", {"user_id": "u", "classify": 1}, "classify"),
        ("Hi", {"user_id": "u", "constraints": {}}, "constraints"),
        ("Hi", {"user_id": "u", "static": "a"}, "static"),
        ("Hi", {"user_id": "u", "timeout": "1"}, "timeout"),
    ],
)
@pytest.mark.parametrize("way", ["route", "decide"])
async def test_a_wrong_type_raises_and_names_the_argument(
    fake: FakeService, client: RoutingClient, *, way: str, prompt: Any, fields: Any, name: str
) -> None:
    with pytest.raises(TypeError, match=name):
        await getattr(client, way)(prompt, **fields)
    assert fake.calls == []


@pytest.mark.parametrize("timeout", [float("inf"), float("nan")])
def test_a_deadline_is_finite(timeout: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        RoutingClient("localhost:1", timeout=timeout)


def test_retries_are_not_negative() -> None:
    with pytest.raises(ValueError, match="retries"):
        RoutingClient("localhost:1", retries=-1)


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
