"""Attributes of decisions in spans and metrics: `pointsman.*`.

Values are names from the policy file, closed sets, hashes and numbers; never text of callers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from opentelemetry import trace

from pointsman_server.core.decision_record import DecisionRecord, DecisionView
from pointsman_server.core.model import Decision, Dropped, Outcome
from pointsman_server.core.resolver import ResolutionRecord

AUTO_MODEL: Final = "pointsman.auto_model"
POLICY: Final = "pointsman.policy"
OUTCOME: Final = "pointsman.outcome"
REASON: Final = "pointsman.reason"
SOURCE: Final = "pointsman.source"
STATIC_PICK: Final = "pointsman.static_pick"
ROUTED_MODEL: Final = "pointsman.routed_model"
SERVED_MODEL: Final = "pointsman.served_model"
AGREEMENT: Final = "pointsman.agreement"
DIFFICULTY: Final = "pointsman.difficulty"
CONFIDENCE: Final = "pointsman.confidence"
EFFORT: Final = "pointsman.effort"
AMBIGUITY: Final = "pointsman.ambiguity"
DOMAIN: Final = "pointsman.domain"
CANDIDATE_COUNT: Final = "pointsman.candidate_count"
DROPPED: Final = "pointsman.dropped"
CACHED: Final = "pointsman.cached"
STICKY: Final = "pointsman.sticky"
SWITCH_REASON: Final = "pointsman.switch_reason"
SHADOW: Final = "pointsman.shadow"
FAILURES: Final = "pointsman.failures"
DRY_RUN: Final = "pointsman.dry_run"
DECISION_ID: Final = "pointsman.decision_id"
POLICY_VERSION: Final = "pointsman.policy_version"
POLICY_SECTION: Final = "pointsman.policy_section"

# Of a resolution.
PURPOSE: Final = "pointsman.purpose"
PROFILE: Final = "pointsman.profile"
TIER: Final = "pointsman.tier"
OVERRIDDEN: Final = "pointsman.profile_overridden"
ATTEMPTS: Final = "pointsman.attempts"

ERROR_TYPE: Final = "error.type"

# Metrics only, or spans below the server's.
ENGINE: Final = "pointsman.engine"
STAGE: Final = "pointsman.stage"
CALLER: Final = "pointsman.caller"
RPC_SYSTEM: Final = "rpc.system.name"
GRPC: Final = "grpc"
RPC_METHOD: Final = "rpc.method"
RPC_STATUS: Final = "rpc.response.status_code"
CACHE_RESULT: Final = "pointsman.cache.result"
CACHE_STAGE: Final = "pointsman.cache.stage"
CIRCUIT_STATE: Final = "pointsman.circuit.state"
PROBE: Final = "pointsman.circuit.probe"
RELOAD_RESULT: Final = "pointsman.reload.result"
LOSS: Final = "pointsman.loss"
SIGNAL: Final = "pointsman.signal"
MODE: Final = "pointsman.mode"
VERSION: Final = "pointsman.version"
PYTHON_VERSION: Final = "pointsman.python_version"

AttributeValue: TypeAlias = str | bool | int | float | Sequence[str]


def decision_attributes(record: DecisionRecord) -> dict[str, AttributeValue]:
    """The server span's attributes for `record`, without unknown values."""
    outcome = record.outcome
    facts: dict[str, AttributeValue | None] = {
        OUTCOME: outcome.verdict.value,
        REASON: outcome.reason.value if outcome.reason else None,
        AUTO_MODEL: record.auto_model,
        STATIC_PICK: record.static_pick,
        SERVED_MODEL: record.served_model,
        AGREEMENT: record.agreement,
        SHADOW: outcome.shadow,
        DRY_RUN: record.dry_run,
        FAILURES: tuple(f"{f.engine}:{f.stage}" for f in outcome.failures) or None,
        DROPPED: _counted(dropped_by_reason(dropped_of(outcome))),
        DECISION_ID: outcome.decision_id,
        POLICY_VERSION: outcome.policy_version,
    }
    if outcome.decision is not None:
        facts |= _of_decision(outcome.decision)
    return {key: value for key, value in facts.items() if value is not None}


def _of_decision(decision: Decision) -> dict[str, AttributeValue | None]:
    answer = decision.answer
    return {
        POLICY: decision.policy,
        SOURCE: answer.source.value,
        ROUTED_MODEL: answer.model,
        DIFFICULTY: answer.difficulty,
        CONFIDENCE: answer.confidence,
        EFFORT: answer.effort,
        AMBIGUITY: answer.ambiguity,
        DOMAIN: answer.domain,
        CANDIDATE_COUNT: decision.candidate_count,
        CACHED: answer.cached,
        STICKY: decision.sticky,
        SWITCH_REASON: decision.switch_reason.value if decision.switch_reason else None,
    }


def dropped_of(outcome: Outcome) -> tuple[Dropped, ...]:
    """The candidates that were not decided between."""
    return outcome.decision.dropped if outcome.decision else outcome.dropped


def dropped_by_reason(dropped: Iterable[Dropped]) -> Mapping[str, int]:
    """The number of dropped candidates by reason, without their names, which are callers' text."""
    return Counter(item.reason.value for item in dropped)


def _counted(reasons: Mapping[str, int]) -> tuple[str, ...] | None:
    return tuple(f"{reason}:{count}" for reason, count in sorted(reasons.items())) or None


class SpanAttributes:
    """A `DecisionObserver` that writes each decision onto the span it was made in, if recorded."""

    __slots__ = ()

    def on_decision(self, view: DecisionView) -> None:
        """Annotate the current span; nothing is built when it does not record."""
        span = trace.get_current_span()
        if span.is_recording():
            span.set_attributes(decision_attributes(view.materialise()))


def resolution_attributes(record: ResolutionRecord) -> dict[str, AttributeValue]:
    """The server span's attributes for `record`, without unknown values."""
    facts: dict[str, AttributeValue | None] = {
        PURPOSE: record.purpose,
        PROFILE: record.profile,
        TIER: record.tier,
        OVERRIDDEN: record.overridden,
        ATTEMPTS: len(record.resolution.attempts),
        POLICY_VERSION: record.resolution.policy_version,
    }
    return {key: value for key, value in facts.items() if value is not None}


class ResolutionSpanAttributes:
    """A `ResolutionObserver` that writes each resolution onto the current span, if recorded."""

    __slots__ = ()

    def resolved(self, record: ResolutionRecord) -> None:
        """Annotate the current span; nothing is built when it does not record."""
        span = trace.get_current_span()
        if span.is_recording():
            span.set_attributes(resolution_attributes(record))
