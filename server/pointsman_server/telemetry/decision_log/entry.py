"""One line of the decision log; `docs/decision-log.md` explains the fields."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, TypeAlias

from pointsman_server.core.decision_record import DecisionRecord
from pointsman_server.core.model import Decision
from pointsman_server.core.resolver import ResolutionRecord
from pointsman_server.telemetry.attributes import dropped_by_reason, dropped_of

EVENT = "auto_routing_router_decision"
RESOLUTION_EVENT = "llm_route_resolved"

Field: TypeAlias = str | int | float | bool | dict[str, int] | list[dict[str, str]] | None


class Line(Protocol):
    """A record that is written as one line."""

    def fields(self) -> dict[str, Field]:
        """Every field of the line."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """A decision that is to be written."""

    record: DecisionRecord
    sampled: bool
    """Whether this line was sampled; `False`: it is written in any case."""
    sample_rate: float
    trace_id: str | None

    def fields(self) -> dict[str, Field]:
        """See `line_fields`."""
        return line_fields(self)


_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


def encode_line(entry: Line) -> bytes:
    """`entry` as JSON and a line feed, all in ASCII."""
    return f"{_encode(entry.fields())}\n".encode("ascii")


def line_fields(entry: LogEntry) -> dict[str, Field]:
    """Every field of every line; `None` where there is nothing to say."""
    record, outcome = entry.record, entry.record.outcome
    return {
        "event": EVENT,
        "time": rfc3339(record.time),
        "level": "warn" if record.is_error else "info",
        "status": record.status,
        "reason": outcome.reason,
        "sampled": entry.sampled,
        "sample_rate": entry.sample_rate,
        "decision_id": outcome.decision_id,
        "trace_id": entry.trace_id,
        "policy_version": outcome.policy_version,
        "routing_mode": record.mode,
        "shadow": outcome.shadow,
        "auto_model": record.auto_model,
        "resolved_model": record.static_pick,
        "served_model": record.served_model,
        "agreement": record.agreement,
        **_decision_fields(outcome.decision),
        "dropped": dict(dropped_by_reason(dropped_of(outcome))),
        "failures": [{"engine": f.engine, "stage": f.stage} for f in outcome.failures],
        "router_duration_ms": _millis(record.engine_seconds),
        "duration_ms": _millis(record.total_seconds),
        "requested_model": record.requested_model,
        "api_kind": record.api_kind,
        "mode": record.caller_mode,
        "message_count": record.message_count,
        "prompt_chars": record.prompt_chars,
        "body_bytes": record.body_bytes,
        "user_hash": record.user_hash,
        "session_hash": record.session_hash,
        "client_request_hash": record.request_hash,
    }


def _decision_fields(decision: Decision | None) -> dict[str, Field]:
    answer = decision.answer if decision else None
    return {
        "cache_hit": answer.cached if answer else False,
        "routed_model": answer.model if answer else None,
        "router_model": answer.router_model if answer else None,
        "source": answer.source if answer else None,
        "policy": decision.policy if decision else None,
        "difficulty": answer.difficulty if answer else None,
        "confidence": answer.confidence if answer else None,
        "effort": answer.effort if answer else None,
        "ambiguity": answer.ambiguity if answer else None,
        "domain": answer.domain if answer else None,
        "candidate_count": decision.candidate_count if decision else None,
        "sticky": decision.sticky if decision else None,
        "switch_reason": decision.switch_reason if decision else None,
        "propensity": decision.propensity if decision else None,
    }


def rfc3339(seconds: float) -> str:
    """Seconds since the epoch as UTC with milliseconds."""
    moment = datetime.fromtimestamp(seconds, tz=UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def _millis(seconds: float) -> float:
    return round(seconds * 1_000, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolutionEntry:
    """A resolution that is to be written: a line of the decision log."""

    record: ResolutionRecord
    sample_rate: float
    trace_id: str | None

    def fields(self) -> dict[str, Field]:
        """Every field of every line; `None` where there is nothing to say."""
        record, resolution = self.record, self.record.resolution
        outcome = resolution.outcome
        return {
            "event": RESOLUTION_EVENT,
            "time": rfc3339(record.time),
            "level": "info",
            "sampled": True,
            "sample_rate": self.sample_rate,
            "trace_id": self.trace_id,
            "policy_version": resolution.policy_version,
            "purpose": record.purpose,
            "profile": record.profile,
            "tier": record.tier,
            "profile_overridden": record.overridden,
            "attempts": len(resolution.attempts),
            "decision_id": outcome.decision_id if outcome else None,
            "duration_ms": round(record.total_seconds * 1_000, 3),
            "run_hash": record.run_hash,
        }
