"""The quick encoder writes what the SDK's writes."""

from __future__ import annotations

import logging
from math import isnan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceState
from pointsman_server.telemetry.tracing import otlp_encoder as otlp_encoding
from pointsman_server.telemetry.tracing.otlp_encoder import AT_ONCE, SpanEncoder

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
int64 = st.integers(-(2**63), 2**63 - 1)
# Not NaN, which equals nothing; it has a test of its own.
scalars = (
    texts | st.booleans() | int64 | st.floats(allow_nan=False) | st.sampled_from([0, 0.0, -0.0])
)
values = st.recursive(
    scalars | st.none() | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
attributes = st.none() | st.dictionaries(texts, values, max_size=5)
counts = st.integers(0, 2**32 - 1)
states = st.none() | st.sampled_from([TraceState(), TraceState([("a", "1"), ("b", "x=y")])])
contexts = st.builds(
    SpanContext,
    trace_id=st.integers(1, 2**128 - 1),
    span_id=st.integers(1, 2**64 - 1),
    is_remote=st.booleans(),
    trace_state=states,
)


class Span(ReadableSpan):
    """A finished span with whatever counts."""

    def __init__(self, dropped=(0, 0, 0), **given):
        super().__init__(**given)
        self.dropped = dropped

    dropped_attributes = property(lambda self: self.dropped[0])
    dropped_events = property(lambda self: self.dropped[1])
    dropped_links = property(lambda self: self.dropped[2])


class Dropped:
    """An event or a link of which attributes were dropped."""

    def __init__(self, part, dropped):
        self._part, self.dropped_attributes = part, dropped

    def __getattr__(self, name):
        return getattr(self._part, name)


moments = st.none() | st.integers(0, 2**64 - 1)
events = st.builds(Dropped, st.builds(Event, texts, attributes, moments), counts)
links = st.builds(Dropped, st.builds(Link, contexts, attributes), counts)
resources = st.builds(
    Resource,
    st.dictionaries(texts.filter(bool), scalars, max_size=3),
    st.none() | texts,
)
scopes = st.none() | st.builds(InstrumentationScope, texts, st.none() | texts, st.none() | texts)
spans = st.builds(
    Span,
    name=texts,
    context=contexts,
    parent=st.none() | contexts,
    resource=resources,
    attributes=attributes,
    events=st.lists(events, max_size=2),
    links=st.lists(links, max_size=2),
    kind=st.sampled_from(SpanKind),
    instrumentation_scope=scopes,
    status=st.sampled_from(StatusCode).flatmap(
        lambda code: (
            st.builds(Status, st.just(code), st.none() | texts)
            if code is StatusCode.ERROR
            else st.just(Status(code))
        )
    ),
    start_time=moments,
    end_time=moments,
    dropped=st.tuples(counts, counts, counts),
)


def span(**given):
    context = SpanContext(trace_id=1, span_id=2, is_remote=False)
    return Span(**{"name": "s", "context": context, "resource": Resource({}), **given})


def read(wire):
    return ExportTraceServiceRequest.FromString(wire)


@settings(max_examples=60)
@given(st.lists(spans, max_size=4))
def test_what_is_written_is_what_the_sdk_writes(batch):
    encoder = SpanEncoder()
    expected = encode_spans(batch)
    assert read(encoder.encode(batch)) == expected
    # What it remembers by now changes nothing.
    assert read(encoder.encode(batch)) == expected


@given(st.lists(st.tuples(st.sampled_from("ab"), scalars), max_size=30))
def test_equal_values_of_different_kinds_are_not_taken_for_each_other(pairs):
    encoder = SpanEncoder()
    for key, value in pairs:
        batch = [span(attributes={key: value})]
        assert encoder.encode(batch) == encode_spans(batch).SerializeToString()


def test_spans_of_one_resource_and_scope_are_sent_together():
    scope = InstrumentationScope("s")
    batch = [span(instrumentation_scope=scope) for _ in range(3)]
    (resource,) = read(SpanEncoder().encode(batch)).resource_spans
    (found,) = resource.scope_spans
    assert len(found.spans) == 3


def test_nothing_is_nothing():
    assert SpanEncoder().encode([]) == b""


def test_what_is_no_number_arrives_as_none():
    wire = SpanEncoder().encode([span(attributes={"a": float("nan")})])
    found = read(wire).resource_spans[0].scope_spans[0].spans[0]
    assert isnan(found.attributes[0].value.double_value)


@pytest.mark.parametrize(
    "value",
    [2**63, -(2**63) - 1, object(), "\ud800"],
    ids=["too large", "too small", "of no kind", "half a character"],
)
def test_a_value_that_cannot_be_sent_is_left_out_and_named_without_its_text(value, caplog):
    caplog.set_level(logging.WARNING)
    wire = SpanEncoder().encode([span(attributes={"bad": value, "good": 1})])
    found = read(wire).resource_spans[0].scope_spans[0].spans[0]
    assert [pair.key for pair in found.attributes] == ["good"]
    (record,) = caplog.records
    assert "bad" in record.getMessage()
    assert str(value).encode("utf-8", "replace") not in record.getMessage().encode()


def test_what_is_remembered_is_bounded():
    encoder = SpanEncoder()
    for number in range(3 * otlp_encoding._REMEMBERED):
        encoder.encode([span(attributes={"n": str(number), "long": "x" * 300})])
        assert len(encoder._texts) <= otlp_encoding._REMEMBERED
    assert not any("x" * 300 in str(known) for known in encoder._texts)


def test_ids_of_decisions_push_nothing_out():
    encoder = SpanEncoder()
    for number in range(10):
        said = {"pointsman.decision_id": f"id-{number}", "pointsman.source": "local"}
        encoder.encode([Span(name="x", attributes=said)])
    assert list(encoder._texts) == [("pointsman.source", "local")]


def test_others_may_run_between_some_spans():
    yielded = []
    SpanEncoder(yield_to_others=lambda: yielded.append(1)).encode([span()] * (3 * AT_ONCE + 1))
    assert len(yielded) == 3
