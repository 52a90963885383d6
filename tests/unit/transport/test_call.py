"""What every RPC shares: the gate, the span, and errors as statuses."""

from __future__ import annotations

import asyncio
import contextlib
import logging

import grpc
import pytest
from google.rpc import error_details_pb2 as details
from google.rpc.status_pb2 import Status
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NoOpTracer, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from pointsman_server.core.errors import FieldViolation, InvalidRequest, Overloaded
from pointsman_server.transport.call import CallRunner
from pointsman_server.transport.concurrency import RETRY_AFTER, ConcurrencyLimiter
from support.fakes import FakeClock, RecordingMeter, settle
from support.sdk_spans import SdkSpans

METHOD = "pointsman.v1.RoutingService/RouteDecision"

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


class Aborted(Exception):
    pass


class Context:
    """As much of gRPC's as an RPC needs."""

    def __init__(self, *, left=None, metadata=(), caller=None):
        self.left, self.metadata, self.caller = left, metadata, caller
        self.code = self.text = self.status = None

    def invocation_metadata(self):
        return self.metadata

    def time_remaining(self):
        return self.left

    async def abort(self, code, text, trailing_metadata):
        self.code, self.text = code, text
        self.status = Status.FromString(dict(trailing_metadata)["grpc-status-details-bin"])
        raise Aborted

    def detail(self, kind):
        found = kind()
        return next((found for holder in self.status.details if holder.Unpack(found)), None)


class Desk:
    """An `CallRunner` and what it told."""

    def __init__(self, *, limit=2, tracer=None):
        self.exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.clock, self.meter = FakeClock(), RecordingMeter()
        self.rpc = CallRunner(
            gate=ConcurrencyLimiter(limit=limit, meter=self.meter),
            spans=SdkSpans(tracer or provider.get_tracer("test")),
            propagator=TraceContextTextMapPropagator(),
            clock=self.clock,
            meter=self.meter,
            caller=lambda context: context.caller,
        )

    async def run(self, body, context=None):
        return await self.rpc.run(
            "pointsman.v1.RoutingService/RouteDecision", context or Context(), body
        )

    async def refusal(self, body):
        context = Context()
        with pytest.raises(Aborted):
            await self.run(body, context)
        return context

    @property
    def span(self):
        return self.exporter.get_finished_spans()[-1]


async def fine(_deadline):
    return "answer"


def raising(error):
    async def body(_deadline):
        raise error

    return body


async def test_the_bodys_answer_is_the_answer():
    assert await Desk().run(fine) == "answer"


@pytest.mark.parametrize(("left", "deadline"), [(None, None), (0.25, 1_000.25), (-1.0, 999.0)])
async def test_the_callers_deadline_is_told_on_the_monotonic_clock(left, deadline):
    async def body(given_deadline):
        return given_deadline

    assert await Desk().run(body, Context(left=left)) == deadline


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (fine, "OK"),
        (raising(InvalidRequest([FieldViolation("mode", "is blank")])), "INVALID_ARGUMENT"),
        (raising(KeyError("canary")), "INTERNAL"),
    ],
    ids=["answered", "refused", "a bug"],
)
async def test_a_call_is_counted_once_by_its_caller_and_its_status(body, status):
    desk = Desk()
    with contextlib.suppress(Aborted):
        await desk.run(body, Context(caller="edge"))
    assert desk.meter.calls == [(METHOD, "edge", status)]


async def test_a_call_answered_at_once_is_counted_too():
    desk = Desk(tracer=NoOpTracer())
    origin = desk.rpc.origin(METHOD, Context(caller="edge"))
    sampled = desk.rpc.sample(origin)
    assert desk.rpc.try_immediate(origin, sampled, lambda _request, _span: None, "a") is None
    assert desk.meter.calls == []
    assert desk.rpc.try_immediate(origin, sampled, lambda _request, _span: b"aa", "a") == b"aa"
    assert desk.meter.calls == [(METHOD, "edge", "OK")]


# ---------------------------------------------------------------- the gate


async def test_calls_over_the_limit_are_refused_with_a_time_to_come_back():
    desk, gate = Desk(limit=2), asyncio.Event()

    async def slow(_deadline):
        await gate.wait()
        return "answer"

    inside = [asyncio.create_task(desk.run(slow)) for _ in range(2)]
    await settle()
    refused = await desk.refusal(fine)
    assert refused.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert refused.detail(details.RetryInfo).retry_delay.ToTimedelta().total_seconds() == (
        RETRY_AFTER
    )
    assert refused.detail(details.ErrorInfo).reason == "OVERLOADED"
    assert (desk.meter.inside, desk.meter.refused) == (2, 1)
    gate.set()
    assert await asyncio.gather(*inside) == ["answer"] * 2
    assert await desk.run(fine) == "answer"
    assert (desk.meter.inside, desk.meter.most_inside) == (0, 2)


@pytest.mark.parametrize(
    "error",
    [RuntimeError("x"), InvalidRequest([FieldViolation("a", "b")]), Overloaded(retry_after=1)],
    ids=lambda error: type(error).__name__,
)
async def test_a_call_that_fails_leaves_the_gate(error):
    desk = Desk(limit=1)
    for _ in range(3):
        await desk.refusal(raising(error))
    assert (desk.meter.inside, desk.meter.refused) == (0, 0)


async def test_a_cancelled_call_leaves_the_gate():
    desk = Desk(limit=1)

    async def never(_deadline):
        await asyncio.Event().wait()

    task = asyncio.create_task(desk.run(never))
    await settle()
    assert desk.meter.inside == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert desk.meter.inside == 0
    assert await desk.run(fine) == "answer"


async def test_the_limit_holds_after_calls_have_come_and_gone():
    desk = Desk(limit=1)
    for _ in range(3):
        await desk.run(fine)

    async def crowd(_deadline):
        return await desk.refusal(fine)

    refused = await desk.run(crowd)
    assert refused.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (desk.meter.most_inside, desk.meter.inside) == (1, 0)


async def test_a_storm_leaves_nobody_inside():
    desk = Desk(limit=10)

    async def short(_deadline):
        await asyncio.sleep(0)
        return "answer"

    found = await asyncio.gather(*(desk.run(short) for _ in range(200)), return_exceptions=True)
    refused = [f for f in found if isinstance(f, Aborted)]
    assert desk.meter.most_inside == 10
    assert desk.meter.inside == 0
    assert len(refused) == desk.meter.refused == 190


# ---------------------------------------------------------------- errors


async def test_our_errors_become_their_status_and_are_not_logged(caplog):
    context = await Desk().refusal(raising(InvalidRequest([FieldViolation("a.b", "is bad")])))
    assert context.code is grpc.StatusCode.INVALID_ARGUMENT
    assert context.detail(details.BadRequest).field_violations[0].field == "a.b"
    assert caplog.records == []


async def test_a_bug_is_internal_with_a_fixed_text_and_its_traceback_in_the_log(caplog):
    caplog.set_level(logging.DEBUG)
    words = "canary: the user's prompt"
    desk = Desk()
    context = await desk.refusal(raising(RuntimeError(words)))
    assert (context.code, context.text) == (grpc.StatusCode.INTERNAL, "internal error")
    assert "canary" not in str(context.status) + caplog.text + desk.span.to_json()
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "RuntimeError" in record.getMessage()
    assert "in body" in record.getMessage()


async def test_what_is_no_exception_is_not_caught():
    with pytest.raises(KeyboardInterrupt):
        await Desk().run(raising(KeyboardInterrupt()))


# ---------------------------------------------------------------- the span


async def test_a_call_is_a_server_span_within_the_callers_trace():
    desk = Desk()
    await desk.run(fine, Context(metadata=(("traceparent", PARENT), ("x-bin", b"\x00"))))
    span = desk.span
    assert span.name == "pointsman.v1.RoutingService/RouteDecision"
    assert span.kind is SpanKind.SERVER
    assert f"{span.context.trace_id:032x}" == TRACE
    assert span.attributes["rpc.response.status_code"] == "OK"
    assert span.status.status_code is StatusCode.UNSET


@pytest.mark.parametrize("metadata", [None, (), (("traceparent", "junk"),)], ids=str)
async def test_without_a_readable_trace_a_call_starts_its_own(metadata):
    desk = Desk()
    assert await desk.run(fine, Context(metadata=metadata)) == "answer"
    assert desk.span.parent is None


@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        (InvalidRequest([FieldViolation("a", "b")]), "INVALID_ARGUMENT", StatusCode.UNSET),
        (RuntimeError("x"), "INTERNAL", StatusCode.ERROR),
    ],
    ids=["the caller's", "ours"],
)
async def test_a_refusal_is_told_in_the_span_and_only_a_bug_is_its_error(error, kind, status):
    desk = Desk()
    await desk.refusal(raising(error))
    assert desk.span.attributes["rpc.response.status_code"] == kind
    assert desk.span.status.status_code is status
    assert desk.span.attributes.get("error.type") == (
        "INTERNAL" if status is StatusCode.ERROR else None
    )
    assert desk.span.events == ()


async def test_a_bug_in_what_answers_at_once_is_a_refusal_with_its_span():
    desk = Desk()
    origin = desk.rpc.origin(METHOD, Context())

    def broken(_request, _span):
        raise KeyError("canary")

    refused = desk.rpc.try_immediate(origin, desk.rpc.sample(origin), broken, "a")
    assert refused.status.code is grpc.StatusCode.INTERNAL
    assert desk.span.attributes["rpc.response.status_code"] == "INTERNAL"
    assert desk.meter.calls == [(METHOD, None, "INTERNAL")]


async def test_a_call_refused_at_the_gate_has_a_span_too():
    desk = Desk(limit=0)
    await desk.refusal(fine)
    assert desk.span.attributes["rpc.response.status_code"] == "RESOURCE_EXHAUSTED"
