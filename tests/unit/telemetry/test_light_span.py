"""A kept decision's span is what an SDK's would be, and is made of far less."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import INVALID_SPAN, NonRecordingSpan, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from pointsman_server.core.decision_record import CachedDecisionDetail
from pointsman_server.telemetry.config import SamplerRules
from pointsman_server.telemetry.tracing import light_span as call_spans
from pointsman_server.telemetry.tracing.head_tracer import HeadSampler, HeadTracer
from pointsman_server.telemetry.tracing.light_span import CallSpans
from pointsman_server.telemetry.tracing.otlp_encoder import SpanEncoder
from support.records import routed
from support.sdk_spans import SdkSpans

METHOD = "pointsman.v1.RoutingService/RouteDecision"
TRACE = "0af7651916cd43dd8448eb211c80319c"
SAMPLED, UNSAMPLED = f"00-{TRACE}-b7ad6b7169203331-01", f"00-{TRACE}-b7ad6b7169203331-00"
DETAILS = [
    CachedDecisionDetail(0.75, 2.5, "clear", "programming"),
    CachedDecisionDetail(None, None, None, None),
    CachedDecisionDetail(0.0, None, "needs_info", None),
]


class Setup:
    """Both kinds of spans over one SDK, and what was exported."""

    def __init__(self, *, share=1.0, follow_caller=True, shows=0.4, limits=None):
        rules = SamplerRules(share=share, follow_caller=follow_caller)
        self.exporter = InMemorySpanExporter()
        processor = SimpleSpanProcessor(self.exporter)
        resource = Resource({"service.name": "test"})
        provider = TracerProvider(
            sampler=HeadSampler(rules),
            resource=resource,
            shutdown_on_exit=False,
            span_limits=limits,
        )
        provider.add_span_processor(processor)
        self.thrown = 0
        tracer = HeadTracer(
            provider.get_tracer("scope", "1"), sampler=rules, random=lambda: self.dice(shows)
        )
        self.reference = SdkSpans(provider.get_tracer("scope", "1"))
        self.calls = CallSpans(
            tracer,
            processors=[processor],
            ids=provider.id_generator,
            resource=resource,
            scope=InstrumentationScope("scope", "1"),
            limited=limits is not None,
        )

    def dice(self, shows):
        self.thrown += 1
        return shows

    @property
    def spans(self):
        return self.exporter.get_finished_spans()


def caller(traceparent):
    headers = {"traceparent": traceparent} if traceparent else {}
    if traceparent:
        headers["tracestate"] = "vendor=1"
    return TraceContextTextMapPropagator().extract(headers)


def comparable(span):
    """What a span says, without what each has of its own."""
    told = json.loads(span.to_json())
    for name in ("start_time", "end_time"):
        assert told.pop(name)
    for name in ("trace_id", "span_id"):
        told["context"].pop(name)
    return told


@pytest.mark.parametrize("detail", DETAILS, ids=str)
@pytest.mark.parametrize("traceparent", [None, SAMPLED], ids=["root", "child"])
def test_it_says_what_an_sdks_span_says(traceparent, detail):
    setup, record = Setup(), routed()
    trace = caller(traceparent)
    for spans in (setup.calls, setup.reference):
        spans.sample(METHOD, trace).end_cached(record, decision_id="id-1", detail=lambda: detail)
    quick, plain = setup.spans
    assert comparable(quick) == comparable(plain)
    assert quick.start_time <= quick.end_time <= plain.end_time
    assert quick.context.span_id != plain.context.span_id
    assert (quick.context.trace_id == plain.context.trace_id) == (traceparent is not None)
    assert quick.resource == plain.resource
    assert quick.instrumentation_scope == plain.instrumentation_scope


@pytest.mark.parametrize("traceparent", [None, SAMPLED], ids=["root", "child"])
def test_it_is_encoded_as_the_sdk_encodes_it(traceparent):
    setup, trace = Setup(), caller(traceparent)
    records = [routed(), replace(routed(), auto_model="another")]
    for number, detail in enumerate(DETAILS * 3):
        span = setup.calls.sample(METHOD, trace)
        span.end_cached(records[number % 2], decision_id=f"id-{number}", detail=lambda d=detail: d)
    encoded = ExportTraceServiceRequest.FromString(SpanEncoder().encode(setup.spans))
    assert encoded == encode_spans(setup.spans)


def test_what_is_remembered_of_records_is_bounded(monkeypatch):
    monkeypatch.setattr(call_spans, "REMEMBERED", 2)
    setup = Setup()
    for number in range(5):
        span = setup.calls.sample(METHOD, None)
        record = replace(routed(), auto_model=str(number))
        span.end_cached(record, decision_id="x", detail=lambda: DETAILS[0])
        assert span.attributes["pointsman.auto_model"] == str(number)
    assert len(setup.calls.records) <= 2


@pytest.mark.parametrize("traceparent", [None, SAMPLED, "junk"], ids=["root", "child", "junk"])
def test_a_call_that_goes_on_has_an_sdks_span_that_began_with_it(traceparent):
    setup = Setup(share=0.5)
    drawn = setup.calls.sample(METHOD, caller(traceparent))
    began = drawn.start_time
    span = drawn.open()
    assert span.is_recording()
    span.end()
    [told] = setup.spans
    assert (told.name, told.kind, told.start_time) == (METHOD, SpanKind.SERVER, began)
    assert dict(told.attributes) == {"rpc.system.name": "grpc", "rpc.method": METHOD}
    assert (f"{told.context.trace_id:032x}" == TRACE) == (traceparent == SAMPLED)
    assert setup.thrown == (0 if traceparent == SAMPLED else 1)


@pytest.mark.parametrize(
    ("share", "follow_caller", "traceparent", "recorded"),
    [
        (0.5, True, None, True),
        (0.3, True, None, False),
        (0.0, True, SAMPLED, True),
        (1.0, True, UNSAMPLED, False),
        (1.0, False, UNSAMPLED, True),
        (0.0, False, SAMPLED, False),
        (1.0, True, "junk", True),
        (0.3, True, "junk", False),
    ],
)
def test_a_call_is_drawn_as_the_sampler_says(share, follow_caller, traceparent, recorded):
    setup = Setup(share=share, follow_caller=follow_caller)
    assert (setup.calls.sample(METHOD, caller(traceparent)) is not None) == recorded


def test_what_is_not_recorded_hands_the_callers_trace_on_and_throws_no_dice_again():
    setup = Setup(share=0.0)
    stands = setup.calls.unrecorded(METHOD, caller(UNSAMPLED))
    assert isinstance(stands, NonRecordingSpan)
    assert f"{stands.get_span_context().trace_id:032x}" == TRACE
    for trace in (None, caller("junk")):
        assert setup.calls.unrecorded(METHOD, trace) is INVALID_SPAN
    assert setup.thrown == 0


def test_without_an_exporter_nothing_is_recorded():
    rules = SamplerRules(share=1.0, follow_caller=True)
    calls = CallSpans(HeadTracer(None, sampler=rules, random=lambda: 0.0))
    assert calls.sample(METHOD, caller(SAMPLED)) is None
    handed_on = calls.unrecorded(METHOD, caller(SAMPLED)).get_span_context()
    assert f"{handed_on.trace_id:032x}" == TRACE


def test_a_processor_that_raises_fails_no_answer(caplog):
    class Broken(SimpleSpanProcessor):
        def on_end(self, span):
            raise RuntimeError("can" + "ary")  # the log quotes source lines

    setup = Setup()
    setup.calls.processors = (Broken(setup.exporter),)
    setup.calls.sample(METHOD, None).end_cached(
        routed(), decision_id="x", detail=lambda: DETAILS[0]
    )
    assert "RuntimeError" in caplog.text
    assert "canary" not in caplog.text


def test_where_spans_have_limits_they_hold_for_kept_ones_too():
    setup = Setup(limits=SpanLimits(max_span_attributes=5, max_span_attribute_length=4))
    setup.calls.sample(METHOD, None).end_cached(
        routed(), decision_id="id-1", detail=lambda: DETAILS[0]
    )
    [span] = setup.spans
    assert len(span.attributes) == 5
    assert all(len(value) <= 4 for value in span.attributes.values() if isinstance(value, str))
