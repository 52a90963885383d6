"""Statuses over a socket, the table of errors, and the details of a status."""

from __future__ import annotations

import inspect

import grpc
import grpc.aio
import pytest
from google.protobuf.any_pb2 import Any as PackedAny
from google.rpc import error_details_pb2, status_pb2
from hypothesis import given
from hypothesis import strategies as st
from pointsman_client import (
    ErrorFacts,
    Fallback,
    FieldViolation,
    InvalidRequest,
    Overloaded,
    RoutingClient,
    RoutingError,
    Unavailable,
    errors,
)
from pointsman_client.details import TRAILER, read_details, write_details
from pointsman_client.statuses import ERRORS, error_from
from pointsman_client.testing import FakeService, Refusal, routed

CODES = [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK]


def _all_below(base: type[RoutingError]) -> set[type[RoutingError]]:
    return {base}.union(*(_all_below(each) for each in base.__subclasses__()))


def test_every_status_but_ok_has_its_error() -> None:
    assert set(ERRORS) == set(CODES)
    assert len(CODES) == 16


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.name)
async def test_a_status_arrives_as_its_error(fake: FakeService, code: grpc.StatusCode) -> None:
    fake.always(Refusal(status=code.name, message="words", reason="A_REASON"))
    async with RoutingClient(fake.target, timeout=30, retries=0) as client:
        with pytest.raises(RoutingError) as caught:
            await client.route("Hi", user_id="u")
        choice = await client.decide("Hi", user_id="u", static_pick="vendor/a", timeout=30)
    error = caught.value
    assert type(error) is ERRORS[code]
    assert (error.status, error.reason) == (code.name, "A_REASON")
    assert str(error) == f"{code.name}: words"
    # `from None`: who reads the traceback sees no frame of gRPC.
    assert error.__suppress_context__
    assert error.__cause__ is None
    assert (choice.model, choice.fallback) == ("vendor/a", ERRORS[code].fallback)


async def test_bad_fields_and_the_pause_arrive_as_attributes(
    fake: FakeService, client: RoutingClient
) -> None:
    fields = [("caller.user_id", "is required"), ("routing.auto_model", "is blank")]
    fake.answer(Refusal(status="INVALID_ARGUMENT", reason="INVALID_FIELD", violations=fields))
    fake.answer(Refusal(status="RESOURCE_EXHAUSTED", reason="OVERLOADED", retry_after=90.5))
    with pytest.raises(InvalidRequest) as invalid:
        await client.route("Hi", user_id="")
    assert invalid.value.violations == tuple(FieldViolation(*each) for each in fields)
    assert str(invalid.value) == (
        "INVALID_ARGUMENT: caller.user_id: is required; routing.auto_model: is blank"
    )
    with pytest.raises(Overloaded) as overloaded:
        await client.route("Hi", user_id="u")
    assert overloaded.value.retry_after == pytest.approx(90.5)
    assert overloaded.value.retryable


async def test_unavailable_is_retried_within_the_call(
    fake: FakeService, client: RoutingClient
) -> None:
    fake.answer(Refusal(status="UNAVAILABLE"))
    fake.answer(Refusal(status="UNAVAILABLE"))
    fake.answer(routed("vendor/b"))
    assert (await client.route("Hi", user_id="u")).serve_model == "vendor/b"
    assert len(fake.calls) == 3


async def test_no_more_attempts_are_made_than_was_said(fake: FakeService) -> None:
    fake.answer(Refusal(status="UNAVAILABLE"))
    fake.answer(Refusal(status="UNAVAILABLE"))
    async with RoutingClient(fake.target, timeout=30, retries=1) as client:
        with pytest.raises(Unavailable):
            await client.route("Hi", user_id="u")
    assert len(fake.calls) == 2


@pytest.mark.parametrize(
    "code",
    [code for code in CODES if code.name not in {"UNAVAILABLE", "CANCELLED"}],
    ids=lambda code: code.name,
)
async def test_no_other_status_is_retried(
    fake: FakeService, client: RoutingClient, code: grpc.StatusCode
) -> None:
    fake.answer(Refusal(status=code.name))
    with pytest.raises(RoutingError):
        await client.route("Hi", user_id="u")
    assert len(fake.calls) == 1


async def test_an_overloaded_service_is_asked_again_when_it_said(
    fake: FakeService, client: RoutingClient
) -> None:
    fake.answer(Refusal(status="RESOURCE_EXHAUSTED", retry_after=0.01))
    fake.answer(Refusal(status="RESOURCE_EXHAUSTED", retry_after=0.0))
    fake.answer(routed("vendor/b"))
    assert (await client.decide("Hi", user_id="u")).why == "routed"


async def test_a_service_that_stays_overloaded_is_left_alone(fake: FakeService) -> None:
    fake.always(Refusal(status="RESOURCE_EXHAUSTED", retry_after=0.0))
    async with RoutingClient(fake.target, timeout=30, retries=2) as client:
        with pytest.raises(Overloaded):
            await client.route("Hi", user_id="u")
    assert len(fake.calls) == 3


async def test_a_pause_that_outlasts_the_deadline_is_not_waited_for(fake: FakeService) -> None:
    fake.always(Refusal(status="RESOURCE_EXHAUSTED", retry_after=3_600))
    async with RoutingClient(fake.target, decide_timeout=30) as client:
        choice = await client.decide("Hi", user_id="u", static_pick="vendor/a")
    assert (choice.model, choice.fallback) == ("vendor/a", Fallback.OVERLOADED)
    assert len(fake.calls) == 1


def test_every_error_says_as_which_fallback_it_counts() -> None:
    below = _all_below(RoutingError) - {RoutingError}
    assert {each.fallback for each in below} == set(Fallback)


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    tree = inspect.getdoc(errors) or ""
    for each in _all_below(RoutingError):
        assert each.__name__ in tree


# ---------------------------------------------------------------- details

_FACTS = ErrorFacts(
    status="INVALID_ARGUMENT",
    reason="INVALID_FIELD",
    violations=(FieldViolation("caller.user_id", "is required"),),
    retry_after=1.5,
)


def test_details_written_elsewhere_with_the_official_messages_are_read() -> None:
    status = status_pb2.Status(code=3, message="words")
    request = error_details_pb2.BadRequest()
    request.field_violations.add(field="caller.user_id", description="is required", reason="X")
    retry = error_details_pb2.RetryInfo()
    retry.retry_delay.FromMilliseconds(1_500)
    for detail in (
        error_details_pb2.DebugInfo(detail="not for us"),
        error_details_pb2.ErrorInfo(reason="INVALID_FIELD", domain="d", metadata={"k": "v"}),
        request,
        retry,
    ):
        status.details.append(PackedAny())
        status.details[-1].Pack(detail)
    trailers = (("other-bin", b"x"), (TRAILER, status.SerializeToString()))
    assert read_details("INVALID_ARGUMENT", trailers=trailers) == _FACTS


def test_details_that_the_fake_writes_are_official_ones() -> None:
    written = write_details(code=3, message="words", facts=_FACTS)
    status = status_pb2.Status.FromString(written)
    assert (status.code, status.message) == (3, "words")
    info, request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    assert status.details[0].Unpack(info)
    assert status.details[1].Unpack(request)
    assert status.details[2].Unpack(retry)
    assert (info.reason, info.domain) == ("INVALID_FIELD", "pointsman")
    assert request.field_violations[0].field == "caller.user_id"
    assert retry.retry_delay.ToMilliseconds() == 1_500


@given(encoded=st.binary(max_size=60))
def test_details_that_cannot_be_read_leave_the_status(encoded: bytes) -> None:
    assert read_details("INTERNAL", trailers=((TRAILER, encoded),)).status == "INTERNAL"


def test_a_broken_detail_does_not_hide_the_others() -> None:
    status = status_pb2.Status(code=8)
    for value in (b"\xff", error_details_pb2.ErrorInfo(reason="OVERLOADED").SerializeToString()):
        name = "type.googleapis.com/google.rpc.ErrorInfo"
        status.details.append(PackedAny(type_url=name, value=value))
    facts = read_details("X", trailers=((TRAILER, status.SerializeToString()),))
    assert facts.reason == "OVERLOADED"


def test_a_status_without_trailers_is_an_error_without_facts() -> None:
    failure = grpc.aio.AioRpcError(
        grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata()
    )
    error = error_from(failure)
    assert str(error) == "UNAVAILABLE"
    assert error.violations == ()
