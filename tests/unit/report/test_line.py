"""A line is read as the service wrote it, or refused with its field and not a word of it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from pointsman_server.core.decision_record import DecisionRecord
from pointsman_server.core.model import Reason, Verdict
from pointsman_server.report import line as line_of
from pointsman_server.report.fields import Unreadable
from pointsman_server.report.line import DecisionLine, parse
from pointsman_server.telemetry.decision_log import entry as log_line
from pointsman_server.telemetry.decision_log.entry import ResolutionEntry, encode_line
from support.log_lines import HAIKU, decided, raw
from support.records import OPUS, cached, failed, fell_back, resolved, routed, skipped, switched


def read(record: DecisionRecord, **how: Any) -> DecisionLine:
    line = parse(raw(record, **how))
    assert line is not None
    return line


def changed(**fields: Any) -> bytes:
    return json.dumps(json.loads(raw(routed())) | fields).encode()


def test_the_event_is_the_one_that_is_written() -> None:
    assert line_of.EVENT == log_line.EVENT


EVERY_KIND = {
    "routed": (routed(), Verdict.ROUTED, None, ()),
    "cached": (cached(), Verdict.ROUTED, None, ()),
    "switched": (switched(), Verdict.ROUTED, None, ()),
    "skipped": (skipped(Reason.UNKNOWN_TIER), Verdict.SKIPPED, "unknown_tier", ()),
    "failed": (failed(), Verdict.FAILED, "engines_failed", ("morph timeout",)),
    "fell back": (fell_back("http_503"), Verdict.ROUTED, None, ("morph http_503",)),
}


@pytest.mark.parametrize(
    ("record", "verdict", "reason", "failures"), EVERY_KIND.values(), ids=EVERY_KIND
)
def test_every_kind_of_line_that_the_service_writes_is_read(
    record: DecisionRecord, verdict: Verdict, reason: str | None, failures: tuple[str, ...]
) -> None:
    line = read(record)
    assert (line.verdict, line.reason, line.failures) == (verdict, reason, failures)


def test_a_line_of_another_event_is_no_decision() -> None:
    entry = ResolutionEntry(record=resolved(), sample_rate=1.0, trace_id=None)
    assert parse(encode_line(entry)) is None


@pytest.mark.parametrize(
    ("sampled", "rate", "weight"),
    [(True, 1.0, 1.0), (True, 0.01, 100.0), (False, 0.01, 0.0), (False, 0.0, 0.0), (True, 0.0, 0)],
)
def test_a_drawn_line_stands_for_one_through_its_rate_and_any_other_for_none(
    sampled: bool, rate: float, weight: float
) -> None:
    assert read(routed(), sampled=sampled, rate=rate).weight == weight


HELD_BACK = {"reason": Reason.AMBIGUOUS}
WOULD_SERVE = {
    "the decision": (decided(), HAIKU),
    "the static pick of an ambiguous prompt": (decided(outcome=HELD_BACK), OPUS),
    "the static pick of a skip": (skipped(), OPUS),
    "the static pick where engines failed": (failed(), OPUS),
    "nothing that is known": (replace(skipped(), static_pick=None), None),
}


@pytest.mark.parametrize(("record", "model"), WOULD_SERVE.values(), ids=WOULD_SERVE)
def test_serving_would_give(record: DecisionRecord, model: str | None) -> None:
    assert read(record).would_serve == model


def test_an_answer_from_the_cache_and_a_conversation_without_a_choice_are_kept() -> None:
    assert read(cached()).kept
    assert not read(decided()).kept
    sole = json.loads(raw(decided())) | {"sticky": True}
    line = parse(json.dumps(sole).encode())
    assert line is not None
    assert line.kept


def test_lines_of_a_conversation_are_of_one_group_and_those_without_one_of_the_users() -> None:
    groups = {read(decided(conversation=at)).group for at in range(300)}
    assert len(groups) > 250
    assert read(decided(conversation=7)).group == read(decided(OPUS, conversation=7)).group
    users = {read(routed(session_hash=None, user_hash=u * 32)).group for u in "abc"}
    assert len(users) == 3


CANARY = "canary\x1b[31m"
BAD = {
    "no JSON": (b"{canary", "not JSON"),
    "no UTF-8": (b'{"event": "\xff"}', "not JSON"),
    "too deep": (b"[" * 100_000, "not JSON"),
    "a number of too many digits": (b'{"a": ' + b"1" * 5_000 + b"}", "not JSON"),
    "no object": (b'["canary"]', "not a JSON object"),
    "no time": (changed(time=None), "time: not a name"),
    "a time that is none": (changed(time="canary"), "time: not a time"),
    "a time before all": (
        changed(time="0001-01-01T00:00:00+14:00"), "time: before the year 1 or after 9999 in UTC",
    ),
    "a time after all": (
        changed(time="9999-12-31T23:59:59-12:00"), "time: before the year 1 or after 9999 in UTC",
    ),
    "an object of no event": (b'{"level": "info"}', "event: not a name"),
    "an event without a name": (changed(event=7), "event: not a name"),
    "a time of nowhere": (changed(time="2026-11-22T00:00:00"), "time: without a time zone"),
    "an unknown mode": (changed(routing_mode="canary"), "routing_mode: not off, shadow or serve"),
    "an unknown status": (changed(status="canary:x"), "status: not one of the decision log"),
    "a skip without a reason": (changed(status="skipped"), "status: not one of the decision log"),
    "a tier that would colour a terminal": (changed(auto_model=CANARY), "auto_model: not a name"),
    "a model without end": (changed(routed_model="c" * 257), "routed_model: not a name"),
    "routed to nothing": (changed(routed_model=None), "routed_model: not a name"),
    "decided by nobody": (changed(source=None), "source: not a name"),
    "a rate over one": (changed(sample_rate=2), "sample_rate: not a share"),
    "a rate that weighs too much": (changed(sample_rate=1e-12), "sample_rate: not a share"),
    "a rate that is none": (changed(sample_rate="1"), "sample_rate: not a number from 0 on"),
    "a yes that is a number": (changed(sampled=1), "sampled: not a boolean"),
    "a number that is a yes": (changed(duration_ms=True), "duration_ms: not a number from 0 on"),
    "time that runs back": (changed(duration_ms=-1), "duration_ms: not a number from 0 on"),
    "not a number": (changed(body_bytes=float("nan")), "body_bytes: not a number from 0 on"),
    "a number without end": (changed(body_bytes=1e300), "body_bytes: not a number from 0 on"),
    "failures that are none": (changed(failures=["canary"]), "failures: not a list of objects"),
    "a failure without a stage": (changed(failures=[{"engine": "morph"}]), "stage: not a name"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "why"), BAD.values(), ids=BAD)
def test_a_line_that_is_refused_is_told_by_its_field_and_not_a_word_of_it(
    text: bytes, why: str
) -> None:
    with pytest.raises(Unreadable) as refused:
        parse(text)
    assert str(refused.value) == why
    assert refused.value.__suppress_context__ or refused.value.__context__ is None
