"""The fault script: steps, how often each holds, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from pointsman_server.core.errors import InvalidRequest
from pointsman_server.fault_injection.script import REMEMBERED_CALLS, Call, FaultScript

CALL = Call(method="POST", path="/v1/router/classify", headers={}, key_fingerprint=None, body=None)


def statuses(script: FaultScript, *, calls: int) -> list[int | None]:
    steps = [script.next() for _ in range(calls)]
    return [None if step is None else step.status for step in steps]


def bad_fields(steps: object) -> list[str]:
    with pytest.raises(InvalidRequest) as caught:
        FaultScript().load(steps)
    return [violation.field for violation in caught.value.violations]


def test_without_steps_every_answer_is_true() -> None:
    assert statuses(FaultScript(), calls=2) == [None, None]


def test_each_step_holds_for_its_times_and_then_the_next_does() -> None:
    script = FaultScript([{"status": 503, "times": 2}, {"status": 429}])
    assert statuses(script, calls=4) == [503, 503, 429, None]


def test_a_step_with_times_minus_one_holds_for_ever() -> None:
    script = FaultScript([{"status": 500}, {"status": 503, "times": -1}, {"status": 429}])
    assert statuses(script, calls=5) == [500, 503, 503, 503, 503]
    assert script.steps_left == 2


def test_a_new_script_replaces_what_is_left_of_the_old() -> None:
    script = FaultScript([{"status": 503, "times": 9}])
    script.next()
    script.load([{"status": 429}])
    assert statuses(script, calls=2) == [429, None]


def test_a_bad_script_leaves_the_old_one() -> None:
    script = FaultScript([{"status": 503}])
    with pytest.raises(InvalidRequest):
        script.load([{"status": 99}])
    assert statuses(script, calls=1) == [503]


@pytest.mark.parametrize(
    ("step", "literal"),
    [
        ({"body": "{"}, b"{"),
        ({"body": ""}, b""),
        ({"json": {"model": "x"}}, b'{"model": "x"}'),
        ({"json": None}, b"null"),
        ({"json": []}, b"[]"),
        ({"status": 500}, None),
    ],
)
def test_body_and_json_say_what_is_sent(step: dict[str, Any], literal: bytes | None) -> None:
    read = FaultScript([step]).next()
    assert read is not None
    assert read.literal == literal


@pytest.mark.parametrize(
    ("steps", "named"),
    [
        ({}, ["faults"]),
        ("x", ["faults"]),
        (None, ["faults"]),
        ([1], ["[0]"]),
        ([{"status": 503}, {"stauts": 503}], ["[1].stauts"]),
        ([{"status": 99}], ["[0].status"]),
        ([{"status": 600}], ["[0].status"]),
        ([{"status": True}], ["[0].status"]),
        ([{"status": "503"}], ["[0].status"]),
        ([{"delay_ms": -1}], ["[0].delay_ms"]),
        ([{"delay_ms": True}], ["[0].delay_ms"]),
        ([{"delay_ms": float("nan")}], ["[0].delay_ms"]),
        ([{"times": 0}], ["[0].times"]),
        ([{"times": -2}], ["[0].times"]),
        ([{"reset": False}], ["[0].reset"]),
        ([{"body": 7}], ["[0].body"]),
        ([{"redirect": ""}], ["[0].redirect"]),
        ([{"body": "\ud83d"}], ["[0].body"]),
        ([{"huge_body_bytes": 2**40}], ["[0].huge_body_bytes"]),
        ([{"json": 1, "body": "x"}], ["[0].json"]),
        ([{"reset": True, "stall_body": True}], ["[0].reset"]),
        (
            [{"status": 1, "delay_ms": "x"}, {"times": 0}],
            ["[0].status", "[0].delay_ms", "[1].times"],
        ),
    ],
)
def test_every_bad_field_of_a_script_is_named(steps: object, named: list[str]) -> None:
    assert bad_fields(steps) == named


def test_calls_are_remembered_up_to_a_bound_and_counted_beyond_it() -> None:
    script = FaultScript()
    for _ in range(REMEMBERED_CALLS + 5):
        script.record(CALL)
    assert (len(script.calls), script.count) == (REMEMBERED_CALLS, REMEMBERED_CALLS + 5)
    script.forget()
    assert (script.calls, script.count) == ((), 0)
