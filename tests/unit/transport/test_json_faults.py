"""Bad fields of a JSON body: each is named where it stands, unknown ones only on request."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pointsman.v1 import route_decision_pb2 as pb
from pointsman_server.transport.http.json_faults import MOST_NAMED, faults_of

CASES: dict[str, tuple[Any, list[tuple[str, str]]]] = {
    "no object": (["a"], [("request", "must be an object")]),
    "a message that is none": ({"caller": "u"}, [("caller", "must be an object")]),
    "a text that is a number": (
        {"caller": {"userId": 7}}, [("caller.user_id", "must be a string of Unicode text")],
    ),
    "a list that is none": (
        {"routing": {"candidateModels": "a"}}, [("routing.candidate_models", "must be a list")],
    ),
    "an entry of a list": (
        {"routing": {"candidateModels": ["a", 7]}},
        [("routing.candidate_models[1]", "must be a string of Unicode text")],
    ),
    "a number below 0": (
        {"prompt": {"messageCount": -1}},
        [("prompt.message_count", "must be an integer of at least 0")],
    ),
    "a boolean that is text": ({"dryRun": "yes"}, [("dry_run", "must be true or false")]),
    "null is absent": ({"caller": None, "dryRun": None}, []),
    "both spellings": ({"dry_run": True, "dryRun": True}, []),
    "several": (
        {"dryRun": 1, "classify": 2},
        [("dry_run", "must be true or false"), ("classify", "must be true or false")],
    ),
}  # fmt: skip


def found(document: Any, *, strict: bool = False) -> list[tuple[str, str]]:
    data = json.dumps(document).encode()
    return [
        (f.field, f.description) for f in faults_of(data, pb.RouteDecisionRequest, strict=strict)
    ]


@pytest.mark.parametrize(("document", "expected"), CASES.values(), ids=CASES)
def test_a_bad_field_is_named_where_it_stands(
    document: Any, expected: list[tuple[str, str]]
) -> None:
    assert found(document) == expected


def test_unknown_fields_are_bad_where_the_caller_asks_for_it() -> None:
    document = {"caller": {"user": "u"}}
    assert found(document) == []
    [(field, why)] = found(document, strict=True)
    assert field == "caller.user"
    assert why.startswith("Caller has no such field: did you mean userId? it has ")


def test_a_few_of_many_are_named() -> None:
    many = {"routing": {"candidateModels": list(range(50))}}
    assert [field for field, _ in found(many)] == [
        f"routing.candidate_models[{at}]" for at in range(MOST_NAMED)
    ]


@pytest.mark.parametrize("data", [b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_json_has_no_fields(data: bytes) -> None:
    assert faults_of(data, pb.RouteDecisionRequest, strict=True) == []
