"""What spans and the decision log say of a resolution: known names, hashes and numbers."""

from __future__ import annotations

from dataclasses import dataclass

from opentelemetry import trace

from pointsman_server.core.resolver import ResolutionRecord
from pointsman_server.telemetry import attributes as a
from pointsman_server.telemetry.decision_log.entry import Field, rfc3339

EVENT = "llm_route_resolved"


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
            "event": EVENT,
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


def resolution_attributes(record: ResolutionRecord) -> dict[str, a.AttributeValue]:
    """The server span's account of `record`; what is not known is left out."""
    facts: dict[str, a.AttributeValue | None] = {
        a.PURPOSE: record.purpose,
        a.PROFILE: record.profile,
        a.TIER: record.tier,
        a.OVERRIDDEN: record.overridden,
        a.ATTEMPTS: len(record.resolution.attempts),
        a.POLICY_VERSION: record.resolution.policy_version,
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
