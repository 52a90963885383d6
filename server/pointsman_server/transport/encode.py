"""Core value -> wire response."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from pointsman.v1 import route_decision_pb2 as pb

from pointsman_server.core.model import (
    Classification,
    ConversationSource,
    Decision,
    Dropped,
    DropReason,
    EngineFailure,
    Head,
    Outcome,
    Reason,
    SwitchReason,
    Verdict,
)
from pointsman_server.transport.fast_path.answer_codec import answer_fields


def _names(values: type[StrEnum], wire: EnumTypeWrapper, prefix: str) -> dict[StrEnum, str]:
    """Each core value's name on the wire; a value that the contract lacks fails at import."""
    return {value: wire.Name(wire.Value(f"{prefix}_{value.name}")) for value in values}


_OUTCOMES = _names(Verdict, pb.Outcome, "OUTCOME")
_REASONS = _names(Reason, pb.Reason, "REASON")
_SWITCHES = _names(SwitchReason, pb.SwitchReason, "SWITCH_REASON")
_DROPS = _names(DropReason, pb.DropReason, "DROP_REASON")
_CONVERSATIONS = _names(ConversationSource, pb.ConversationSource, "CONVERSATION_SOURCE")


def to_response(outcome: Outcome) -> pb.RouteDecisionResponse:
    """The response that says how a request ended."""
    return pb.RouteDecisionResponse(
        outcome=_OUTCOMES[outcome.verdict],
        decision=_decision(outcome.decision) if outcome.decision else None,
        serve_model=outcome.serve_model,
        shadow=outcome.shadow,
        reason=_REASONS[outcome.reason] if outcome.reason else None,
        failures=[_failure(f) for f in outcome.failures],
        classification=_classification(outcome.classification) if outcome.classification else None,
        decision_id=outcome.decision_id,
        policy_version=outcome.policy_version,
        dropped=_dropped(outcome.dropped),
    )


def to_rest(response: pb.RouteDecisionResponse) -> bytes:
    """The fields of a routed response besides its outcome, its decision and its id."""
    rest = pb.RouteDecisionResponse()
    rest.CopyFrom(response)
    for name in ("outcome", "decision", "decision_id"):
        rest.ClearField(name)
    return rest.SerializeToString()


def _decision(decision: Decision) -> dict[str, Any]:
    """Its fields. Of a message inside another protobuf makes a copy by encoding it."""
    answer = decision.answer
    switch = decision.switch_reason
    return {
        **answer_fields(answer),
        "policy": decision.policy,
        "cached": answer.cached,
        "sticky": decision.sticky,
        "switch_reason": _SWITCHES[switch] if switch else None,
        "fallback_models": decision.fallback_models,
        "propensity": decision.propensity,
        "conversation_source": _CONVERSATIONS[decision.conversation_source],
        "candidate_count": decision.candidate_count,
        "dropped": _dropped(decision.dropped),
    }


def _dropped(dropped: tuple[Dropped, ...]) -> list[pb.DroppedCandidate]:
    return [pb.DroppedCandidate(model=d.model, reason=_DROPS[d.reason]) for d in dropped]


def _failure(failure: EngineFailure) -> pb.EngineFailure:
    return pb.EngineFailure(engine=failure.engine, stage=failure.stage)


def _classification(classification: Classification) -> pb.Classification:
    return pb.Classification(
        difficulty=_head(classification.difficulty),
        ambiguity=_head(classification.ambiguity),
        domain=_head(classification.domain),
    )


def _head(head: Head | None) -> pb.ClassificationHead | None:
    if head is None:
        return None
    return pb.ClassificationHead(
        label=head.label, confidence=head.confidence, meets_threshold=head.meets_threshold
    )
