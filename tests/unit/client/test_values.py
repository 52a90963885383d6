"""The client's values and the contract say the same."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from pointsman.v1 import describe_routing_pb2 as describe_pb
from pointsman.v1 import resolve_route_pb2 as resolve_pb
from pointsman.v1 import route_decision_pb2 as pb
from pointsman_client import (
    ApiKind,
    Constraints,
    DataPolicy,
    Modality,
    NormalisedPrompt,
    RouteRequest,
    RoutingClient,
    description,
)
from pointsman_client import results as answers
from pointsman_client.decode import to_description, to_result
from pointsman_client.encode import to_message
from pointsman_client.routes import Attempt, ResolvedRoute
from pointsman_client.testing import FakeService

ENUMS = [
    (pb.Outcome, answers.Outcome),
    (pb.Reason, answers.Reason),
    (pb.Source, answers.Source),
    (pb.ConversationSource, answers.ConversationSource),
    (pb.SwitchReason, answers.SwitchReason),
    (pb.DropReason, answers.DropReason),
    (pb.ApiKind, ApiKind),
    (pb.Modality, Modality),
    (pb.DataPolicy, DataPolicy),
    (describe_pb.Mode, description.Mode),
    (describe_pb.Stickiness, description.Stickiness),
    (describe_pb.EngineState, description.EngineState),
]


@pytest.mark.parametrize(("proto", "values"), ENUMS, ids=lambda each: getattr(each, "__name__", ""))
def test_an_enum_has_the_names_of_the_contract(proto: Any, values: type[StrEnum]) -> None:
    prefix = proto.DESCRIPTOR.values_by_number[0].name.removesuffix("UNSPECIFIED")
    names = {each.name.removeprefix(prefix) for each in proto.DESCRIPTOR.values}
    assert {each.name for each in values} - {"UNRECOGNISED", "UNSPECIFIED"} == names - {
        "UNSPECIFIED"
    }
    assert all(each.value == each.name.lower() for each in values)


MESSAGES = [
    (pb.RouteDecisionResponse, answers.RouteResult),
    (pb.Decision, answers.Decision),
    (pb.RankedCandidate, answers.RankedCandidate),
    (pb.DroppedCandidate, answers.DroppedCandidate),
    (pb.EngineFailure, answers.EngineFailure),
    (pb.Classification, answers.Classification),
    (pb.ClassificationHead, answers.ClassificationHead),
    (describe_pb.DescribeRoutingResponse, description.RoutingDescription),
    (describe_pb.TierDescription, description.TierDescription),
    (describe_pb.ModelDescription, description.ModelDescription),
    (describe_pb.EngineDescription, description.EngineDescription),
    (describe_pb.PolicyProblem, description.PolicyProblem),
    (describe_pb.PurposeDescription, description.PurposeDescription),
    (describe_pb.ProfileShare, description.ProfileShare),
    (describe_pb.ProfileDescription, description.ProfileDescription),
    (resolve_pb.ResolveRouteResponse, ResolvedRoute),
    (resolve_pb.Attempt, Attempt),
]


@pytest.mark.parametrize(("proto", "value"), MESSAGES, ids=lambda each: each.__name__)
def test_a_value_has_the_fields_of_its_message(proto: Any, value: Any) -> None:
    assert {each.name for each in dataclasses.fields(value)} == set(proto.DESCRIPTOR.fields_by_name)


def _is_repeated(message: Any, field: Any) -> bool:
    # The descriptor's own word for it differs between the oldest and the newest protobuf.
    return hasattr(getattr(message, field.name), "extend")


def _filled(message: Any) -> Any:
    """The message with every field set to something that is not its default."""
    for field in message.DESCRIPTOR.fields:
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            inner = getattr(message, field.name)
            if field.message_type.GetOptions().map_entry:
                inner["key"] = 1
            elif _is_repeated(message, field):
                _filled(inner.add())
            elif field.message_type.name == "Timestamp":
                inner.FromSeconds(1_800_000_000)
            else:
                _filled(inner)
            continue
        value = {
            FieldDescriptor.TYPE_STRING: field.name,
            FieldDescriptor.TYPE_BOOL: True,
            FieldDescriptor.TYPE_DOUBLE: 0.5,
        }.get(field.type, 1)
        if _is_repeated(message, field):
            getattr(message, field.name).append(value)
        else:
            setattr(message, field.name, value)
    return message


def _compare(value: Any, message: Any) -> int:
    """Compare each field of a value with its message's; the number of fields compared."""
    compared = 0
    for field in message.DESCRIPTOR.fields:
        mine, theirs = getattr(value, field.name), getattr(message, field.name)
        if isinstance(mine, datetime):
            assert mine == theirs.ToDatetime(tzinfo=UTC)
        elif isinstance(mine, dict):
            assert mine == dict(theirs) == {"key": 1}
        elif _is_repeated(message, field):
            assert len(mine) == len(theirs) == 1
            if field.type == FieldDescriptor.TYPE_MESSAGE:
                compared += _compare(mine[0], theirs[0])
            else:
                assert list(mine) == list(theirs)
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            compared += _compare(mine, theirs)
        elif field.type == FieldDescriptor.TYPE_ENUM:
            name = field.enum_type.values_by_number[theirs].name
            assert name.endswith(f"_{mine.name}")
        else:
            assert mine == theirs
        compared += 1
    return compared


def test_every_field_of_an_answer_arrives() -> None:
    message = _filled(pb.RouteDecisionResponse())
    assert _compare(to_result(message), message) > 40


def test_every_field_of_a_description_arrives() -> None:
    message = _filled(describe_pb.DescribeRoutingResponse())
    assert _compare(to_description(message), message) > 25


def test_what_is_absent_is_none() -> None:
    result = to_result(pb.RouteDecisionResponse(decision=pb.Decision(model="m")))
    assert result.decision is not None
    absent = {f.name for f in dataclasses.fields(result.decision) if f.default is None}
    assert {"confidence", "domain", "propensity", "explanation", "switch_reason"} < absent
    assert all(getattr(result.decision, name) is None for name in absent)
    assert (result.reason, result.classification) == (None, None)
    assert to_result(pb.RouteDecisionResponse()).decision is None
    assert to_description(describe_pb.DescribeRoutingResponse()).policy_loaded_at is None


def test_what_a_newer_service_says_reads_as_unrecognised() -> None:
    unknown: Any = 99
    decision = pb.Decision(source=unknown)
    message = pb.RouteDecisionResponse(outcome=unknown, reason=unknown, decision=decision)
    result = to_result(message)
    assert result.outcome is answers.Outcome.UNRECOGNISED
    assert result.reason is answers.Reason.UNRECOGNISED
    assert result.decision is not None
    assert result.decision.source is answers.Source.UNRECOGNISED


def test_a_value_cannot_be_changed() -> None:
    request = RouteRequest(prompt=NormalisedPrompt(), user_id="u", candidates=["a"])
    with pytest.raises(dataclasses.FrozenInstanceError):
        request.user_id = "v"  # type: ignore[misc]
    assert request.candidates == ("a",)
    assert hash(request) == hash(dataclasses.replace(request))


def test_a_request_without_needs_asks_for_nothing() -> None:
    message = to_message(RouteRequest(prompt=NormalisedPrompt(), user_id="u"))
    assert message.constraints == pb.Constraints()
    assert not message.HasField("routing")
    assert not message.prompt.HasField("message_count")


@pytest.mark.parametrize(
    "wrong",
    [
        {"required_inputs": {"smell"}},
        {"denied_models": "vendor/a"},
        {"prompt_tokens_estimate": 1.5},
        {"requires_tools": None},
    ],
)
def test_constraints_of_a_wrong_type_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        Constraints(**wrong)


async def test_describe_says_what_is_in_force(fake: FakeService, client: RoutingClient) -> None:
    fake.description = describe_pb.DescribeRoutingResponse(
        mode=describe_pb.MODE_SERVE,
        serve_percent=12.5,
        engines=[describe_pb.EngineDescription(name="local", state="ENGINE_STATE_READY")],
    )
    in_force = await client.describe()
    assert in_force.mode is description.Mode.SERVE
    assert in_force.serve_percent == 12.5
    assert in_force.engines[0].state is description.EngineState.READY
