"""The message that `RoutingClient` sends, and the mistakes that it raises before it sends."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pointsman.v1 import route_decision_pb2 as pb
from pointsman_client import (
    ApiKind,
    Constraints,
    DataPolicy,
    InvalidRequest,
    Modality,
    NormalisedPrompt,
    Reason,
    RouteRequest,
    RoutingClient,
)
from pointsman_client.testing import FakeService, Refusal, not_routed, routed
from support.client_calls import ASK, BODY

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
