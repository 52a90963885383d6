"""What records spans, built from the environment: limits and queues as the variables say."""

from __future__ import annotations

import json
import re
import threading

import pytest
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from pointsman_server.core.decision_record import CachedDecisionDetail
from pointsman_server.telemetry.config import BatchRules, read_environment
from pointsman_server.telemetry.tracing.exporters import CountingSpanExporter
from pointsman_server.telemetry.tracing.head_tracer import HeadTracer
from pointsman_server.telemetry.tracing.provider import CountingSpanProcessor, Spans, build_resource
from support.records import routed

DETAIL = CachedDecisionDetail(0.75, 2.5, "clear", "programming")
SEPARATE = re.compile(r"(?<=^})$", re.MULTILINE)


def spans_to(exporters):
    rules = read_environment({"OTEL_TRACES_EXPORTER": exporters})
    spans = Spans(rules, resource=build_resource(rules))
    return spans, HeadTracer(spans.tracer, sampler=rules.sampler, random=lambda: 0.0)


@pytest.mark.parametrize(
    ("said", "most"),
    [
        ({}, None),
        ({"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "0"}, 0),
        ({"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "5"}, 5),
        ({"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": ""}, None),
        ({"OTEL_ATTRIBUTE_COUNT_LIMIT": "0"}, 0),
    ],
    ids=str,
)
async def test_spans_of_both_kinds_keep_to_the_limit_of_attributes(monkeypatch, capsys, said, most):
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    spans, tracer = spans_to("console")
    spans.calls(tracer).sample("m", None).end_cached(
        routed(), decision_id="x", detail=lambda: DETAIL
    )
    with tracer.start_as_current_span("m", None, SpanKind.SERVER) as plain:
        plain.set_attributes({str(number): number for number in range(20)})
    await spans.aclose(bound=30)
    told = [json.loads(each) for each in SEPARATE.split(capsys.readouterr().err) if each.strip()]
    counts = [len(each["attributes"]) for each in told]
    assert len(counts) == 2
    assert all(count >= 20 if most is None else count == most for count in counts), counts


class Hanging(InMemorySpanExporter):
    """Takes batches as long as it is let."""

    def __init__(self):
        super().__init__()
        self.lets = threading.Semaphore(0)
        self.asked = threading.Semaphore(0)

    def export(self, spans):
        self.asked.release()
        self.lets.acquire()
        return super().export(spans)


class Ended:
    """As much of a span as a processor looks at."""

    class context:  # noqa: N801
        class trace_flags:  # noqa: N801
            sampled = True


def test_a_span_that_finds_the_queue_full_is_dropped_and_counted_and_told_of_once_a_minute(caplog):
    hanging, now = Hanging(), 0.0
    processor = CountingSpanProcessor(
        CountingSpanExporter(hanging), BatchRules(delay=3_600, size=4, queue=8), clock=lambda: now
    )
    spans = [Ended() for _ in range(30)]
    for span in spans[:4]:
        processor.on_end(span)
    assert hanging.asked.acquire(timeout=30)
    for span in spans[4:20]:  # eight wait behind the four that are under way
        processor.on_end(span)
    assert processor.dropped == 8
    hanging.lets.release()
    assert hanging.asked.acquire(timeout=30)
    now = 60.0
    for span in spans[20:]:  # room for four again
        processor.on_end(span)
    assert processor.dropped == 14
    hanging.lets.release(10)
    processor.shutdown()
    assert hanging.get_finished_spans() == (*spans[:12], *spans[20:24])
    full = "the queue of spans is full: {} dropped so far"
    assert caplog.messages == [full.format(1), full.format(9)]


def test_batches_that_fail_make_room_too():
    class Failing(InMemorySpanExporter):
        def export(self, spans):
            super().export(spans)
            return SpanExportResult.FAILURE

    failing = Failing()
    processor = CountingSpanProcessor(
        CountingSpanExporter(failing), BatchRules(delay=3_600, size=2, queue=2)
    )
    for _ in range(5):
        processor.on_end(Ended())
        processor.force_flush()
    processor.shutdown()
    assert (len(failing.get_finished_spans()), processor.dropped) == (5, 0)
