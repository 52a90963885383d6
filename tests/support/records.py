"""Decision records for tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pointsman_server.core.decision_record import DecisionRecord
from pointsman_server.core.model import (
    ApiKind,
    ConversationSource,
    Decision,
    Dropped,
    DropReason,
    EngineAnswer,
    EngineFailure,
    Mode,
    Outcome,
    Reason,
    Source,
    SwitchReason,
    Verdict,
)
from pointsman_server.core.resolver import ResolutionRecord
from pointsman_server.core.routes import Attempt, Resolution

OPUS = "anthropic/claude-opus-4.8"
FRONTIER = "kilo-auto/frontier"


def routed(**changes: Any) -> DecisionRecord:
    """A fresh decision that agrees with the static pick; `changes` are fields of the record."""
    answer = EngineAnswer(
        source=Source.LOCAL,
        model=OPUS,
        router_model="claude-opus-4-8",
        difficulty="hard",
        confidence=0.91,
        effort=4.25,
        ambiguity="low",
        domain="coding",
    )
    decision = Decision(
        answer=answer,
        policy="capability_heavy",
        sticky=False,
        switch_reason=None,
        fallback_models=("openai/gpt-5.5",),
        propensity=1.0,
        conversation_source=ConversationSource.SESSION,
        candidate_count=2,
        dropped=(Dropped(model="caller/text", reason=DropReason.UNMAPPED),),
    )
    outcome = Outcome(
        verdict=Verdict.ROUTED,
        serve_model=OPUS,
        decision_id="0190f1f0-0000-7000-8000-000000000000",
        policy_version="9f86d081884c",
        decision=decision,
        shadow=True,
        engine_seconds=0.0021,
    )
    record = DecisionRecord(
        outcome=outcome,
        time=1_795_300_000.1234,
        mode=Mode.SHADOW,
        auto_model=FRONTIER,
        static_pick=OPUS,
        served_model=OPUS,
        requested_model=FRONTIER,
        api_kind=ApiKind.CHAT_COMPLETIONS,
        caller_mode="code",
        user_hash="a" * 32,
        session_hash="b" * 32,
        request_hash=None,
        message_count=3,
        prompt_chars=240,
        body_bytes=12_345,
        total_seconds=0.0035,
        dry_run=False,
    )
    record = replace(record, **changes)
    decision = record.outcome.decision
    if decision is None or record.static_pick is None or "agreement" in changes:
        return record
    return replace(record, agreement=decision.model == record.static_pick)


def switched() -> DecisionRecord:
    """A conversation that left its model."""
    record = routed()
    decision = record.outcome.decision
    assert decision is not None
    decision = replace(decision, switch_reason=SwitchReason.UPGRADE)
    return replace(record, outcome=replace(record.outcome, decision=decision))


def cached() -> DecisionRecord:
    """An answer that was kept from before."""
    record = routed()
    decision = record.outcome.decision
    assert decision is not None
    decision = replace(decision, answer=replace(decision.answer, cached=True), sticky=True)
    return replace(record, outcome=replace(record.outcome, decision=decision, engine_seconds=0.0))


def fell_back(stage: str = "timeout") -> DecisionRecord:
    """Morph failed and the embedded engine answered."""
    record = routed()
    failures = (EngineFailure(engine="morph", stage=stage),)
    return replace(record, outcome=replace(record.outcome, failures=failures))


def unrouted(verdict: Verdict, reason: Reason | None = None, **changes: Any) -> DecisionRecord:
    """No decision; `changes` are fields of the outcome."""
    record = routed()
    outcome = replace(
        record.outcome, verdict=verdict, reason=reason, decision=None, shadow=False, **changes
    )
    return replace(record, outcome=outcome, agreement=None)


def failed(stage: str = "timeout") -> DecisionRecord:
    """Every engine failed."""
    failures = (EngineFailure(engine="morph", stage=stage),)
    return unrouted(Verdict.FAILED, Reason.ENGINES_FAILED, failures=failures)


def skipped(reason: Reason = Reason.NO_PROMPT) -> DecisionRecord:
    """Nothing to decide between, or from."""
    return unrouted(Verdict.SKIPPED, reason)


def resolved(**changes: Any) -> ResolutionRecord:
    """A purpose resolved to two profiles of a tier's route; `changes` are fields of the record."""
    record = ResolutionRecord(
        resolution=Resolution(
            attempts=tuple(
                Attempt(profile=name, provider="anthropic", model=OPUS)
                for name in ("first", "next")
            ),
            eligible_errors=("timeout",),
            policy_version="9f86d081884c",
            outcome=routed().outcome,
        ),
        time=1_795_300_000.1234,
        purpose="plan_create",
        tier=FRONTIER,
        overridden=False,
        run_hash="c" * 16,
        total_seconds=0.0042,
    )
    return replace(record, **changes)
