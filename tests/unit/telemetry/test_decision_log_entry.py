import json
from dataclasses import replace
from typing import Any

import pytest
from pointsman_server.core.decision_record import DecisionRecord
from pointsman_server.core.model import Dropped, DropReason, Reason, Verdict
from pointsman_server.telemetry.decision_log.entry import LogEntry, encode_line, rfc3339
from support.records import cached, failed, fell_back, routed, skipped, switched, unrouted


def line(record: DecisionRecord, **changes: Any) -> dict[str, Any]:
    entry = LogEntry(record=record, sampled=True, sample_rate=0.01, trace_id=None)
    text = encode_line(replace(entry, **changes))
    assert text.endswith(b"}\n")
    assert text.count(b"\n") == 1
    fields: dict[str, Any] = json.loads(text)
    return fields


def test_a_fresh_routed_line_says_all_that_is_known() -> None:
    assert line(routed()) == {
        "event": "auto_routing_router_decision",
        "time": "2026-11-21T22:26:40.123Z",
        "level": "info",
        "status": "routed",
        "reason": None,
        "sampled": True,
        "sample_rate": 0.01,
        "decision_id": "0190f1f0-0000-7000-8000-000000000000",
        "trace_id": None,
        "policy_version": "9f86d081884c",
        "routing_mode": "shadow",
        "shadow": True,
        "auto_model": "kilo-auto/frontier",
        "resolved_model": "anthropic/claude-opus-4.8",
        "served_model": "anthropic/claude-opus-4.8",
        "agreement": True,
        "cache_hit": False,
        "routed_model": "anthropic/claude-opus-4.8",
        "router_model": "claude-opus-4-8",
        "source": "local",
        "policy": "capability_heavy",
        "difficulty": "hard",
        "confidence": 0.91,
        "effort": 4.25,
        "ambiguity": "low",
        "domain": "coding",
        "candidate_count": 2,
        "sticky": False,
        "switch_reason": None,
        "propensity": 1.0,
        "dropped": {"unmapped": 1},
        "failures": [],
        "router_duration_ms": 2.1,
        "duration_ms": 3.5,
        "requested_model": "kilo-auto/frontier",
        "api_kind": "chat_completions",
        "mode": "code",
        "message_count": 3,
        "prompt_chars": 240,
        "body_bytes": 12345,
        "user_hash": "a" * 32,
        "session_hash": "b" * 32,
        "client_request_hash": None,
    }


EVERY_KIND = [
    routed(),
    cached(),
    switched(),
    skipped(),
    failed(),
    fell_back(),
    unrouted(Verdict.OFF, Reason.THIRD_PARTY_DENIED),
]


@pytest.mark.parametrize("record", EVERY_KIND)
def test_every_line_has_the_same_fields(record: DecisionRecord) -> None:
    assert list(line(record)) == list(line(routed()))


STATUSES = [
    (routed(), "routed", "info"),
    (cached(), "routed", "info"),
    (fell_back(), "routed", "warn"),
    (skipped(Reason.UNKNOWN_TIER), "skipped:unknown_tier", "info"),
    (failed("http_503"), "router_error:http_503", "warn"),
    (unrouted(Verdict.OFF, Reason.MODE_OFF), "off:mode_off", "info"),
]


@pytest.mark.parametrize(("record", "status", "level"), STATUSES)
def test_status_and_level_say_what_became_of_it(
    record: DecisionRecord, status: str, level: str
) -> None:
    fields = line(record)

    assert (fields["status"], fields["level"]) == (status, level)


def test_a_kept_answer_is_a_cache_hit_that_asked_no_engine() -> None:
    fields = line(cached())

    assert (fields["cache_hit"], fields["router_duration_ms"]) == (True, 0.0)


def test_failed_engines_are_listed() -> None:
    assert line(fell_back("http_503"))["failures"] == [{"engine": "morph", "stage": "http_503"}]


def test_candidates_of_a_skip_are_counted_by_reason_and_never_named() -> None:
    dropped = (
        Dropped(model="caller's text", reason=DropReason.UNMAPPED),
        Dropped(model="more of it", reason=DropReason.UNMAPPED),
        Dropped(model="kilo-auto/x", reason=DropReason.VIRTUAL),
    )
    fields = line(unrouted(Verdict.SKIPPED, Reason.INSUFFICIENT_CANDIDATES, dropped=dropped))

    assert fields["dropped"] == {"unmapped": 2, "virtual": 1}
    assert "caller's text" not in json.dumps(fields)


def test_what_a_gateway_sent_raw_is_not_in_the_line() -> None:
    record = routed(static_pick="unlisted", served_model="unlisted")
    record = replace(record, outcome=replace(record.outcome, serve_model="canary/of-the-caller"))

    assert "canary" not in json.dumps(line(record))


def test_a_line_stays_one_line_of_ascii() -> None:
    fields = line(routed(caller_mode='a"b\n{ü\u2028'), trace_id="f" * 32)

    assert fields["mode"] == 'a"b\n{ü\u2028'
    assert fields["trace_id"] == "f" * 32


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1_795_300_000.9999, "2026-11-21T22:26:40.999Z"),
        (1_795_300_001.0, "2026-11-21T22:26:41.000Z"),
    ],
)
def test_times_are_utc_with_milliseconds(seconds: float, text: str) -> None:
    assert rfc3339(seconds) == text
