from dataclasses import replace
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.trace import NonRecordingSpan, use_span
from pointsman_server.core.model import Dropped, DropReason, Reason, Verdict
from pointsman_server.telemetry import attributes
from pointsman_server.telemetry.attributes import (
    ResolutionSpanAttributes,
    SpanAttributes,
    decision_attributes,
)
from support.records import fell_back, resolved, routed, skipped, switched, unrouted


def test_a_routed_decision_is_told_whole() -> None:
    assert decision_attributes(routed()) == {
        "pointsman.outcome": "routed",
        "pointsman.auto_model": "kilo-auto/frontier",
        "pointsman.static_pick": "anthropic/claude-opus-4.8",
        "pointsman.routed_model": "anthropic/claude-opus-4.8",
        "pointsman.served_model": "anthropic/claude-opus-4.8",
        "pointsman.agreement": True,
        "pointsman.shadow": True,
        "pointsman.dry_run": False,
        "pointsman.policy": "capability_heavy",
        "pointsman.source": "local",
        "pointsman.difficulty": "hard",
        "pointsman.confidence": 0.91,
        "pointsman.effort": 4.25,
        "pointsman.ambiguity": "low",
        "pointsman.domain": "coding",
        "pointsman.candidate_count": 2,
        "pointsman.dropped": ("unmapped:1",),
        "pointsman.cached": False,
        "pointsman.sticky": False,
        "pointsman.decision_id": "0190f1f0-0000-7000-8000-000000000000",
        "pointsman.policy_version": "9f86d081884c",
    }


def test_what_is_not_known_is_left_out() -> None:
    assert decision_attributes(skipped()) == {
        "pointsman.outcome": "skipped",
        "pointsman.reason": "no_prompt",
        "pointsman.auto_model": "kilo-auto/frontier",
        "pointsman.static_pick": "anthropic/claude-opus-4.8",
        "pointsman.served_model": "anthropic/claude-opus-4.8",
        "pointsman.shadow": False,
        "pointsman.dry_run": False,
        "pointsman.decision_id": "0190f1f0-0000-7000-8000-000000000000",
        "pointsman.policy_version": "9f86d081884c",
    }


def test_failures_and_switches_are_told() -> None:
    assert decision_attributes(fell_back())[attributes.FAILURES] == ("morph:timeout",)
    assert decision_attributes(switched())[attributes.SWITCH_REASON] == "upgrade"


def test_raw_names_of_a_request_are_not_told() -> None:
    dropped = (Dropped(model="canary", reason=DropReason.VIRTUAL),)
    record = unrouted(
        Verdict.SKIPPED, Reason.INSUFFICIENT_CANDIDATES, dropped=dropped, serve_model="canary"
    )
    told = decision_attributes(replace(record, static_pick="unlisted"))

    assert told[attributes.DROPPED] == ("virtual:1",)
    assert "canary" not in str(told)


@pytest.fixture
def span() -> Any:
    provider = TracerProvider(shutdown_on_exit=False)
    span = provider.get_tracer("test").start_span("call")
    yield span
    provider.shutdown()


def test_the_current_span_is_annotated(span: trace.Span) -> None:
    with use_span(span):
        SpanAttributes().on_decision(routed())

    assert isinstance(span, ReadableSpan)
    assert dict(span.attributes or {}) == decision_attributes(routed())


def test_a_resolution_is_told_on_its_span(span: trace.Span) -> None:
    with use_span(span):
        ResolutionSpanAttributes().resolved(resolved(tier=None))

    assert isinstance(span, ReadableSpan)
    assert dict(span.attributes or {}) == {
        "pointsman.purpose": "plan_create",
        "pointsman.profile": "first",
        "pointsman.profile_overridden": False,
        "pointsman.attempts": 2,
        "pointsman.policy_version": "9f86d081884c",
    }


def test_nothing_is_built_for_a_span_that_does_not_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attributes, "decision_attributes", lambda _: pytest.fail("was built"))

    with use_span(NonRecordingSpan(trace.INVALID_SPAN_CONTEXT)):
        SpanAttributes().on_decision(routed())
