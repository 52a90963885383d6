"""From the messages of the contract to the client's values."""

from __future__ import annotations

from datetime import UTC
from enum import StrEnum
from typing import Any, TypeVar

from pointsman.v1 import describe_routing_pb2 as describe_pb
from pointsman.v1 import route_decision_pb2 as pb

from pointsman_client import description
from pointsman_client import results as answers

_Value = TypeVar("_Value", bound=StrEnum)


def to_result(message: pb.RouteDecisionResponse) -> answers.RouteResult:
    """The value for an answer."""
    return answers.RouteResult(
        outcome=_named(answers.Outcome, pb.Outcome, number=message.outcome)
        or answers.Outcome.UNRECOGNISED,
        serve_model=message.serve_model,
        decision=_decision(message.decision) if message.HasField("decision") else None,
        shadow=message.shadow,
        reason=_named(answers.Reason, pb.Reason, number=message.reason),
        failures=tuple(
            answers.EngineFailure(engine=each.engine, stage=each.stage) for each in message.failures
        ),
        classification=_classification(message),
        decision_id=message.decision_id,
        policy_version=message.policy_version,
        dropped=tuple(_dropped(each) for each in message.dropped),
    )


def _decision(message: pb.Decision) -> answers.Decision:
    return answers.Decision(
        source=_named(answers.Source, pb.Source, number=message.source)
        or answers.Source.UNRECOGNISED,
        model=message.model,
        router_model=message.router_model,
        policy=message.policy,
        difficulty=_optional(message, "difficulty"),
        confidence=_optional(message, "confidence"),
        ambiguity=_optional(message, "ambiguity"),
        ambiguity_confidence=_optional(message, "ambiguity_confidence"),
        domain=_optional(message, "domain"),
        domain_confidence=_optional(message, "domain_confidence"),
        cached=message.cached,
        sticky=message.sticky,
        switch_reason=_named(answers.SwitchReason, pb.SwitchReason, number=message.switch_reason),
        fallback_models=tuple(message.fallback_models),
        ranking=tuple(_ranked(each) for each in message.ranking),
        propensity=_optional(message, "propensity"),
        conversation_source=_named(
            answers.ConversationSource, pb.ConversationSource, number=message.conversation_source
        ),
        candidate_count=message.candidate_count,
        dropped=tuple(_dropped(each) for each in message.dropped),
        explanation=_optional(message, "explanation"),
        reasoning_effort=_optional(message, "reasoning_effort"),
        effort=_optional(message, "effort"),
    )


def _ranked(message: pb.RankedCandidate) -> answers.RankedCandidate:
    return answers.RankedCandidate(
        model=message.model,
        score=_optional(message, "score"),
        estimated_cost=_optional(message, "estimated_cost"),
    )


def _dropped(message: pb.DroppedCandidate) -> answers.DroppedCandidate:
    reason = _named(answers.DropReason, pb.DropReason, number=message.reason)
    return answers.DroppedCandidate(
        model=message.model, reason=reason or answers.DropReason.UNRECOGNISED
    )


def _classification(message: pb.RouteDecisionResponse) -> answers.Classification | None:
    if not message.HasField("classification"):
        return None
    heads = message.classification
    return answers.Classification(
        difficulty=_head(heads.difficulty) if heads.HasField("difficulty") else None,
        ambiguity=_head(heads.ambiguity) if heads.HasField("ambiguity") else None,
        domain=_head(heads.domain) if heads.HasField("domain") else None,
    )


def _head(message: pb.ClassificationHead) -> answers.ClassificationHead:
    return answers.ClassificationHead(
        label=message.label,
        confidence=message.confidence,
        meets_threshold=message.meets_threshold,
    )


def to_description(message: describe_pb.DescribeRoutingResponse) -> description.RoutingDescription:
    """The configuration in force as a value."""
    loaded = message.HasField("policy_loaded_at")
    return description.RoutingDescription(
        mode=_named(description.Mode, describe_pb.Mode, number=message.mode),
        serve_percent=message.serve_percent,
        tiers=tuple(_tier(each) for each in message.tiers),
        models=tuple(_model(each) for each in message.models),
        engines=tuple(_engine(each) for each in message.engines),
        policy_version=message.policy_version,
        policy_loaded_at=message.policy_loaded_at.ToDatetime(tzinfo=UTC) if loaded else None,
        reload_problems=tuple(
            description.PolicyProblem(path=each.path, message=each.message)
            for each in message.reload_problems
        ),
        warnings=tuple(
            description.PolicyProblem(path=each.path, message=each.message)
            for each in message.warnings
        ),
        server_version=message.server_version,
        third_party_allowed=message.third_party_allowed,
        organizations_allowed=message.organizations_allowed,
        organizations=_named(
            description.OrganizationPolicy,
            describe_pb.OrganizationPolicy,
            number=message.organizations,
        ),
        purposes=tuple(_purpose(each) for each in message.purposes),
        profiles=tuple(
            description.ProfileDescription(name=each.name, provider=each.provider, model=each.model)
            for each in message.profiles
        ),
    )


def _purpose(message: describe_pb.PurposeDescription) -> description.PurposeDescription:
    return description.PurposeDescription(
        name=message.name,
        candidates=tuple(
            description.ProfileShare(profile=each.profile, share=each.share)
            for each in message.candidates
        ),
        fallback_profiles=tuple(message.fallback_profiles),
        tier=message.tier,
        eligible_errors=tuple(message.eligible_errors),
    )


def _tier(message: describe_pb.TierDescription) -> description.TierDescription:
    return description.TierDescription(
        name=message.name,
        policy=message.policy,
        stickiness=_named(
            description.Stickiness, describe_pb.Stickiness, number=message.stickiness
        ),
        default_candidates=tuple(message.default_candidates),
    )


def _model(message: describe_pb.ModelDescription) -> description.ModelDescription:
    return description.ModelDescription(
        model=message.model,
        router_model=message.router_model,
        routable=message.routable,
        input_price=_optional(message, "input_price"),
        output_price=_optional(message, "output_price"),
        context_window=_optional(message, "context_window"),
        cached_input_price=_optional(message, "cached_input_price"),
        reasoning_efforts=tuple(message.reasoning_efforts),
        routine=_optional(message, "routine"),
        heavy=dict(message.heavy),
    )


def _engine(message: describe_pb.EngineDescription) -> description.EngineDescription:
    return description.EngineDescription(
        name=message.name,
        state=_named(description.EngineState, describe_pb.EngineState, number=message.state),
        consecutive_failures=message.consecutive_failures,
        third_party=message.third_party,
        probing=message.probing,
        in_flight=message.in_flight,
        max_in_flight=message.max_in_flight,
        failures=dict(message.failures),
    )


def _optional(message: Any, name: str) -> Any:
    return getattr(message, name) if message.HasField(name) else None


def _named(values: type[_Value], enum: Any, *, number: int) -> _Value | None:
    """The value of the same name; `None` for 0, `UNRECOGNISED` for one that is not known here."""
    if number == 0:
        return None
    known = enum.DESCRIPTOR.values_by_number.get(number)
    prefix = enum.DESCRIPTOR.values_by_number[0].name.removesuffix("UNSPECIFIED")
    name = known.name.removeprefix(prefix) if known else "UNRECOGNISED"
    return values.__members__.get(name, values["UNRECOGNISED"])
