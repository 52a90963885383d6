"""What observers are told: counts, hashes and names that the policy file knows."""

from __future__ import annotations

import dataclasses

import pytest
from pointsman_server.core.decision_record import LazyDecisionRecord
from pointsman_server.core.keys import Keys
from pointsman_server.core.model import EngineFailure, Mode, Reason, Verdict
from pointsman_server.core.policy_file import UNLISTED, LogRules
from support.builders import (
    FRONTIER,
    GPT,
    OPUS,
    SONNET,
    answer,
    caller,
    outcome,
    prompt,
    request,
    routing,
    rules,
)
from support.builders import decision as build_decision

DOWN = (EngineFailure(engine="morph", stage="http_503"), EngineFailure(engine="local", stage="x"))


def recorded(given_outcome=None, *, file=None, **changes):
    return telling(given_outcome, file=file, **changes).materialise()


def telling(given_outcome=None, *, file=None, **changes):
    return LazyDecisionRecord(
        request(**changes),
        given_outcome or outcome(),
        rules=file or rules(),
        keys=Keys(b"secret"),
        time=1.5,
        total_seconds=0.25,
    )


def unrouted(verdict, reason, **changes):
    return outcome(verdict=verdict, reason=reason, decision=None, **changes)


@pytest.mark.parametrize(
    ("given", "status"),
    [
        (outcome(), "routed"),
        (outcome(reason=Reason.AMBIGUOUS), "routed"),
        (unrouted(Verdict.SKIPPED, Reason.NO_PROMPT), "skipped:no_prompt"),
        (unrouted(Verdict.OFF, Reason.FLAG_OFF), "off:flag_off"),
        (
            unrouted(Verdict.FAILED, Reason.ENGINES_FAILED, failures=DOWN),
            "router_error:http_503",
        ),
    ],
    ids=["routed", "ambiguous", "skipped", "off", "failed"],
)
def test_the_status_says_how_the_request_ended(given, status):
    assert recorded(given).status == status


@pytest.mark.parametrize(
    ("static_pick", "agreement"), [(SONNET, True), (OPUS, False), (None, None)]
)
def test_agreement_compares_the_decision_with_the_static_pick(static_pick, agreement):
    assert recorded(routing=routing(static_pick=static_pick)).agreement is agreement


def test_without_a_decision_there_is_no_agreement():
    assert recorded(unrouted(Verdict.OFF, Reason.FLAG_OFF)).agreement is None


@pytest.mark.parametrize(
    ("given", "is_error"),
    [
        (outcome(), False),
        (outcome(failures=DOWN[:1]), True),
        (unrouted(Verdict.FAILED, Reason.ENGINES_FAILED, failures=DOWN), True),
        (unrouted(Verdict.SKIPPED, Reason.NO_PROMPT), False),
    ],
    ids=["routed", "stood in", "failed", "skipped"],
)
def test_an_engines_failure_is_an_error_even_where_another_answered(given, is_error):
    assert recorded(given).is_error is is_error


CANARIES = {
    "prompt": prompt("canary latest", first="canary first", system="canary system"),
    "caller": caller(
        user_id="canary-user",
        session_id="canary-session",
        machine_id="canary-machine",
        client_request_id="canary-request",
        mode="canary-mode",
        user_agent="canary-agent",
        organization_id="canary-org",
    ),
    "routing": routing("canary/candidate", tier="canary-tier", static_pick="canary/static"),
    "requested_model": "canary/requested",
}


def test_no_text_of_the_caller_is_in_a_record_but_in_its_outcome():
    record = recorded(outcome(serve_model="canary/static"), **CANARIES)
    told = {
        f.name: getattr(record, f.name) for f in dataclasses.fields(record) if f.name != "outcome"
    }
    assert "canary" not in repr(told)
    assert {
        record.auto_model,
        record.static_pick,
        record.served_model,
        record.requested_model,
        record.caller_mode,
    } == {UNLISTED}


def test_a_telling_shows_nothing_of_the_request_that_it_holds():
    assert "canary" not in repr(telling(outcome(serve_model="canary/static"), **CANARIES))


@pytest.mark.parametrize("given", [outcome(), unrouted(Verdict.OFF, Reason.MODE_OFF)])
@pytest.mark.parametrize("dry_run", [True, False])
def test_what_is_counted_of_a_telling_is_what_its_record_says(given, dry_run):
    told = telling(given, dry_run=dry_run, **CANARIES)
    record = told.materialise()
    assert record.materialise() is record
    for name in ("outcome", "total_seconds", "dry_run", "log_sampled", "auto_model", "agreement"):
        assert getattr(told, name) == getattr(record, name)


def test_names_that_the_policy_file_knows_are_told():
    file = rules(log=LogRules(known_modes=frozenset({"code"})), mode=Mode.SHADOW)
    record = recorded(file=file, caller=caller(mode="code"), requested_model=GPT)
    assert record.auto_model == FRONTIER
    assert record.static_pick == OPUS
    assert record.served_model == SONNET
    assert record.requested_model == GPT
    assert record.caller_mode == "code"
    assert record.mode is Mode.SHADOW


def test_nothing_served_is_told_as_nothing():
    assert recorded(outcome(serve_model="")).served_model is None


def test_ids_are_told_as_keyed_hashes_that_join_lines_of_one_person():
    one, again = recorded(), recorded(prompt=prompt("Another"))
    other = recorded(caller=caller(user_id="user-2", session_id="user-1"))
    assert one.user_hash == again.user_hash
    assert one.session_hash == again.session_hash
    assert other.user_hash != one.user_hash
    # A user and a session of one name are not told to be the same.
    assert other.session_hash != one.user_hash
    assert one.request_hash is None
    assert recorded(caller=caller(session_id=None)).session_hash is None


def test_the_prompt_is_told_as_its_length_in_code_points():
    assert recorded(prompt=prompt(" 🚂🚂 ")).prompt_chars == 2
    assert recorded(prompt=prompt(None)).prompt_chars == 0


def test_the_decision_of_a_record_is_that_of_its_outcome():
    said = build_decision(OPUS, answer=answer(OPUS, cached=True))
    assert recorded(outcome(decision=said)).outcome.decision.answer.cached
