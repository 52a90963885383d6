"""Value -> wire response: nothing is lost, and what is absent stays absent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman.v1 import route_decision_pb2 as pb
from pointsman_server.core.model import (
    Classification,
    ConversationSource,
    Dropped,
    DropReason,
    EngineFailure,
    Head,
    RankedModel,
    Reason,
    Source,
    SwitchReason,
    Verdict,
)
from pointsman_server.transport.encode import to_response
from support.builders import GPT, OPUS, SONNET, answer, decision, outcome

OPTIONAL = [
    "difficulty",
    "confidence",
    "ambiguity",
    "ambiguity_confidence",
    "domain",
    "domain_confidence",
    "explanation",
]


def test_a_routed_outcome_is_told_whole():
    said = answer(
        SONNET,
        difficulty="hard",
        confidence=0.9,
        ambiguity="low",
        ambiguity_confidence=0.8,
        domain="coding",
        domain_confidence=0.7,
        ranking=(RankedModel(model=SONNET, score=0.5, estimated_cost=0.01), RankedModel(model=GPT)),
        explanation="why",
        cached=True,
    )
    given_outcome = outcome(
        decision=decision(
            SONNET,
            answer=said,
            sticky=True,
            switch_reason=SwitchReason.SAVING,
            fallback_models=(GPT, OPUS),
            propensity=0.25,
            candidate_count=3,
            dropped=(Dropped(model="x/one", reason=DropReason.DENIED),),
        ),
        shadow=True,
        reason=Reason.AMBIGUOUS,
        failures=(EngineFailure(engine="morph", stage="http_503"),),
        classification=Classification(
            difficulty=Head(label="hard", confidence=0.5, meets_threshold=True)
        ),
    )
    assert to_response(given_outcome) == pb.RouteDecisionResponse(
        outcome=pb.OUTCOME_ROUTED,
        decision=pb.Decision(
            source=pb.SOURCE_MORPH,
            model=SONNET,
            router_model="claude-sonnet-4-6",
            policy="capability_heavy",
            difficulty="hard",
            confidence=0.9,
            ambiguity="low",
            ambiguity_confidence=0.8,
            domain="coding",
            domain_confidence=0.7,
            cached=True,
            sticky=True,
            switch_reason=pb.SWITCH_REASON_SAVING,
            fallback_models=[GPT, OPUS],
            ranking=[
                pb.RankedCandidate(model=SONNET, score=0.5, estimated_cost=0.01),
                pb.RankedCandidate(model=GPT),
            ],
            propensity=0.25,
            conversation_source=pb.CONVERSATION_SOURCE_SESSION,
            candidate_count=3,
            dropped=[pb.DroppedCandidate(model="x/one", reason=pb.DROP_REASON_DENIED)],
            explanation="why",
        ),
        serve_model=SONNET,
        shadow=True,
        reason=pb.REASON_AMBIGUOUS,
        failures=[pb.EngineFailure(engine="morph", stage="http_503")],
        classification=pb.Classification(
            difficulty=pb.ClassificationHead(label="hard", confidence=0.5, meets_threshold=True)
        ),
        decision_id="id-1",
        policy_version="v1",
    )


def test_an_unrouted_outcome_has_no_decision():
    found = to_response(
        outcome(
            verdict=Verdict.SKIPPED,
            reason=Reason.INSUFFICIENT_CANDIDATES,
            decision=None,
            serve_model="",
            dropped=(Dropped(model="x", reason=DropReason.UNMAPPED),),
        )
    )
    assert not found.HasField("decision")
    assert not found.HasField("classification")
    assert found.dropped == [pb.DroppedCandidate(model="x", reason=pb.DROP_REASON_UNMAPPED)]
    assert (found.serve_model, found.decision_id) == ("", "id-1")


@pytest.mark.parametrize("name", OPTIONAL)
def test_what_an_engine_did_not_say_is_absent(name):
    said = answer(difficulty=None, confidence=None)
    assert not to_response(outcome(decision=decision(answer=said))).decision.HasField(name)


@pytest.mark.parametrize("name", ["confidence", "ambiguity_confidence", "domain_confidence"])
def test_a_confidence_of_zero_is_not_absent(name):
    found = to_response(outcome(decision=decision(answer=answer(**{name: 0.0})))).decision
    assert found.HasField(name)
    assert getattr(found, name) == 0.0


def test_a_switch_that_did_not_happen_has_no_reason():
    assert to_response(outcome()).decision.switch_reason == pb.SWITCH_REASON_UNSPECIFIED


def test_a_head_that_is_not_known_is_absent():
    found = to_response(outcome(classification=Classification())).classification
    assert [found.HasField(n) for n in ("difficulty", "ambiguity", "domain")] == [False] * 3


def shown(value):
    """The wire number under which a value of any enum is told."""
    match value:
        case Verdict():
            return to_response(outcome(verdict=value)).outcome
        case Reason():
            return to_response(outcome(reason=value)).reason
        case Source():
            return to_response(
                outcome(decision=decision(answer=answer(source=value)))
            ).decision.source
        case SwitchReason():
            return to_response(
                outcome(decision=decision(switch_reason=value))
            ).decision.switch_reason
        case DropReason():
            return (
                to_response(outcome(dropped=(Dropped(model="x", reason=value),))).dropped[0].reason
            )
        case ConversationSource():
            found = to_response(outcome(decision=decision(conversation_source=value)))
            return found.decision.conversation_source
    raise AssertionError(value)


ENUMS = [
    (Verdict, pb.Outcome),
    (Reason, pb.Reason),
    (Source, pb.Source),
    (SwitchReason, pb.SwitchReason),
    (DropReason, pb.DropReason),
    (ConversationSource, pb.ConversationSource),
]


@pytest.mark.parametrize(("core", "wire"), ENUMS, ids=lambda enum: getattr(enum, "__name__", ""))
def test_each_value_has_its_namesake_in_the_contract_and_the_other_way_round(core, wire):
    numbers = {value: shown(value) for value in core}
    assert all(wire.Name(n).endswith(f"_{v.name}") for v, n in numbers.items())
    assert {*numbers.values()} == {n for n in wire.values() if n}


@given(st.text(max_size=50), st.floats(0, 1), st.integers(0, 32))
def test_a_response_survives_the_wire(text, share, count):
    response = to_response(
        outcome(
            serve_model=text,
            decision=decision(answer=answer(text, confidence=share), candidate_count=count),
        )
    )
    assert pb.RouteDecisionResponse.FromString(response.SerializeToString()) == response
