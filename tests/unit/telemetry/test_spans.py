"""What records spans, built from the environment: limits and queues as the variables say."""

from __future__ import annotations

import json
import re

import pytest
from opentelemetry.trace import SpanKind
from pointsman_server.core.record import KeptDetail
from pointsman_server.telemetry.environment import read_environment
from pointsman_server.telemetry.resource import build_resource
from pointsman_server.telemetry.spans import Spans
from pointsman_server.telemetry.tracer import HeadTracer
from support.records import routed

DETAIL = KeptDetail(0.75, "clear", "programming")
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
    spans.calls(tracer).draw("m", None).kept(routed(), decision_id="x", detail=lambda: DETAIL)
    with tracer.start_as_current_span("m", None, SpanKind.SERVER) as plain:
        plain.set_attributes({str(number): number for number in range(20)})
    await spans.aclose(bound=30)
    told = [json.loads(each) for each in SEPARATE.split(capsys.readouterr().err) if each.strip()]
    counts = [len(each["attributes"]) for each in told]
    assert len(counts) == 2
    assert all(count >= 20 if most is None else count == most for count in counts), counts
