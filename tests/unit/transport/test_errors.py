"""The one table from errors to statuses."""

from __future__ import annotations

import importlib
import pkgutil

import grpc
import pointsman_server
import pytest
from google.rpc import error_details_pb2 as details
from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import strategies as st
from pointsman.v1 import error_reason_pb2
from pointsman_server.core.errors import (
    EngineFailed,
    EnginesFailed,
    FieldViolation,
    InvalidRequest,
    Overloaded,
    PointsmanError,
    PolicyInvalid,
    Problem,
    SourceUnreadable,
    Unauthenticated,
)
from pointsman_server.core.model import EngineFailure
from pointsman_server.transport.errors import DOMAIN, INTERNAL_TEXT, RULES, to_status

FAILURE = EngineFailure(engine="canary", stage="canary")
VIOLATIONS = [FieldViolation("caller.user_id", "must not be blank"), FieldViolation("a", "b")]
BUGS = [
    RuntimeError("canary"),
    KeyError("canary"),
    EngineFailed(FAILURE),
    EnginesFailed([FAILURE]),
    SourceUnreadable("canary"),
    PolicyInvalid([Problem("canary", "canary")]),
    PointsmanError("canary"),
]


def detail(error, kind):
    """The detail of this kind that the error's status carries."""
    status = to_status(error)
    ((_, raw),) = status.trailing_metadata
    packed = Status.FromString(raw)
    assert (packed.code, packed.message) == (status.code.value[0], status.details)
    for holder in packed.details:
        found = kind()
        if holder.Unpack(found):
            return found
    return None


def subclasses(kind):
    for child in kind.__subclasses__():
        yield child
        yield from subclasses(child)


def test_every_error_class_of_the_server_has_a_rule():
    for module in pkgutil.walk_packages(pointsman_server.__path__, "pointsman_server."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    ours = {c for c in subclasses(PointsmanError) if c.__module__.startswith("pointsman_server")}
    assert ours == {*RULES}


def test_every_reason_is_in_the_contract_and_every_one_there_is_used():
    reasons = {f"ERROR_REASON_{rule.reason}" for rule in RULES.values()}
    assert reasons == {*error_reason_pb2.ErrorReason.keys()} - {"ERROR_REASON_UNSPECIFIED"}


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (InvalidRequest(VIOLATIONS), grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD"),
        (Unauthenticated(), grpc.StatusCode.UNAUTHENTICATED, "INVALID_CREDENTIALS"),
        (Overloaded(retry_after=1), grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED"),
        *((bug, grpc.StatusCode.INTERNAL, "INTERNAL") for bug in BUGS),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_a_status_carries_its_reason_and_the_domain(error, code, reason):
    assert to_status(error).code is code
    assert detail(error, details.ErrorInfo) == details.ErrorInfo(reason=reason, domain=DOMAIN)
    assert DOMAIN == "pointsman"


def test_a_bad_request_names_every_field_in_its_details():
    found = detail(InvalidRequest(VIOLATIONS), details.BadRequest)
    assert [(v.field, v.description) for v in found.field_violations] == [
        ("caller.user_id", "must not be blank"),
        ("a", "b"),
    ]


def test_the_text_of_a_bad_request_names_the_first_few_fields():
    assert to_status(InvalidRequest(VIOLATIONS)).details == (
        "invalid request: caller.user_id: must not be blank; a: b"
    )
    many = InvalidRequest([FieldViolation(f"f{i}", "bad") for i in range(9)])
    assert to_status(many).details == (
        "invalid request: f0: bad; f1: bad; f2: bad; f3: bad; and 5 more"
    )
    assert len(detail(many, details.BadRequest).field_violations) == 9


@given(st.floats(0, 100_000))
def test_an_overload_says_when_to_come_back(seconds):
    found = detail(Overloaded(retry_after=seconds), details.RetryInfo).retry_delay
    assert abs(found.seconds + found.nanos / 1e9 - seconds) < 1e-6
    assert 0 <= found.nanos < 10**9


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: type(bug).__name__)
def test_a_bug_has_a_fixed_text_and_nothing_of_its_own(bug):
    status = to_status(bug)
    assert status.details == INTERNAL_TEXT == "internal error"
    assert "canary" not in repr(status.trailing_metadata)


def test_only_a_bad_request_has_fields_and_only_an_overload_a_time():
    assert detail(Unauthenticated(), details.BadRequest) is None
    assert detail(InvalidRequest(VIOLATIONS), details.RetryInfo) is None
