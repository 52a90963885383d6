"""One decision of a stream or a batch: its trace, its span, its time."""

from __future__ import annotations

import grpc
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from pointsman.v1 import batch_route_decisions_pb2 as batch_pb
from pointsman.v1 import route_decision_pb2 as pb
from pointsman.v1 import stream_route_decisions_pb2 as stream_pb
from pointsman_server.transport.batch import Batches
from pointsman_server.transport.call import CallRunner
from pointsman_server.transport.concurrency import ConcurrencyLimiter
from pointsman_server.transport.decision_handler import DecisionHandler
from pointsman_server.transport.stream import StreamRules, Streams
from support.builders import outcome
from support.fakes import FakeClock, RecordingMeter
from support.sdk_spans import SdkSpans

OF_CALL, OF_ITEM = "a" * 32, "b" * 32


def traceparent(trace):
    return f"00-{trace}-b7ad6b7169203331-01"


class Service:
    """Decides, and notes within which trace and until when."""

    def __init__(self):
        self.asked = []
        self.decider = self.fast_path = self

    def log_sampled(self):
        return False

    def answer(self, message, span=None):
        return None

    async def decide(self, request, *, deadline=None, log_sampled=None, prepared=None):
        trace = get_current_span().get_span_context().trace_id
        self.asked.append((request.caller.user_id, f"{trace:032x}", deadline))
        return outcome()


class Context:
    def __init__(self, *wires, left=None):
        self.wires, self.left, self.written = list(wires), left, []

    def invocation_metadata(self):
        return (("traceparent", traceparent(OF_CALL)),)

    def time_remaining(self):
        return self.left

    async def read(self):
        return self.wires.pop(0) if self.wires else grpc.aio.EOF

    async def write(self, wire):
        self.written.append(stream_pb.StreamRouteDecisionsResponse.FromString(wire))


class Desk:
    def __init__(self):
        self.exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.service = Service()
        self.meter = RecordingMeter()
        self.rpc = CallRunner(
            gate=ConcurrencyLimiter(limit=9, meter=self.meter),
            spans=SdkSpans(provider.get_tracer("test")),
            propagator=TraceContextTextMapPropagator(),
            clock=FakeClock(now=10.0),
            meter=self.meter,
            caller=lambda _context: "gateway",
        )
        self.decisions = DecisionHandler(rpc=self.rpc, service=lambda: self.service)

    async def stream(self, context):
        rules = StreamRules()
        await Streams(rpc=self.rpc, decisions=self.decisions, rules=rules).serve(None, context)
        return context.written

    @property
    def spans(self):
        return [
            (s.name.rpartition("/")[2], f"{s.context.trace_id:032x}",
             s.attributes["rpc.response.status_code"])
            for s in self.exporter.get_finished_spans()
        ]  # fmt: skip


def asked(user="u"):
    return pb.RouteDecisionRequest(
        prompt={"latest_user_prompt_prefix": "Fix it"}, caller={"user_id": user}
    )


def item(name="x", **fields):
    message = stream_pb.StreamRouteDecisionsRequest(
        correlation_id=name, request=fields.pop("request", asked(name)), **fields
    )
    return message.SerializeToString()


async def test_a_decision_of_a_stream_belongs_to_its_own_trace_or_to_the_streams():
    desk = Desk()
    own = item("own", traceparent=traceparent(OF_ITEM), tracestate="v=1")
    await desk.stream(Context(item("call"), own))
    assert sorted(desk.service.asked) == [("call", OF_CALL, None), ("own", OF_ITEM, None)]
    name = "StreamRouteDecisions"
    assert sorted(desk.spans) == [(name, OF_CALL, "OK"), (name, OF_ITEM, "OK")]


async def test_a_trace_that_is_not_well_formed_leaves_the_streams():
    desk = Desk()
    await desk.stream(Context(item(traceparent="00-junk")))
    assert desk.service.asked == [("x", OF_CALL, None)]


@pytest.mark.parametrize(
    ("left", "timeout_ms", "deadline"),
    [(None, 0, None), (None, 500, 10.5), (2.0, 0, 12.0), (2.0, 500, 10.5), (0.25, 500, 10.25)],
)
async def test_the_earlier_of_both_deadlines_is_told(left, timeout_ms, deadline):
    desk = Desk()
    await desk.stream(Context(item(timeout_ms=timeout_ms), left=left))
    assert desk.service.asked == [("x", OF_CALL, deadline)]


async def test_what_is_refused_has_a_span_that_says_so():
    desk = Desk()
    context = Context(item(""), item("x", request=asked(" ")), b"\xff")
    assert [a.status.code for a in await desk.stream(context)] == [3, 3, 3]
    assert {status for _, _, status in desk.spans} == {"INVALID_ARGUMENT"}
    assert len(desk.spans) == 3


async def test_each_decision_of_a_stream_counts_for_the_caller_and_the_streams_end_does_not():
    desk = Desk()
    await desk.stream(Context(item("a"), item("b", request=asked(" ")), item("")))
    method = "pointsman.v1.RoutingService/StreamRouteDecisions"
    assert sorted(desk.meter.calls) == [
        (method, "gateway", "INVALID_ARGUMENT"),
        (method, "gateway", "INVALID_ARGUMENT"),
        (method, "gateway", "OK"),
    ]


async def test_each_decision_of_a_batch_has_a_span_in_the_calls_trace_and_its_deadline():
    desk = Desk()
    wire = batch_pb.BatchRouteDecisionsRequest(
        requests=[asked("a"), asked(" "), asked("b")]
    ).SerializeToString()
    answer = await Batches(rpc=desk.rpc, decisions=desk.decisions).answer(wire, Context(left=1.0))
    results = batch_pb.BatchRouteDecisionsResponse.FromString(answer).results
    assert [r.WhichOneof("result") for r in results] == ["response", "status", "response"]
    assert desk.service.asked == [("a", OF_CALL, 11.0), ("b", OF_CALL, 11.0)]
    name, statuses = "BatchRouteDecisions", ("INVALID_ARGUMENT", "OK", "OK")
    assert sorted(desk.spans) == [(name, OF_CALL, s) for s in statuses]
    method = f"pointsman.v1.RoutingService/{name}"
    assert sorted(desk.meter.calls) == [(method, "gateway", s) for s in statuses]
