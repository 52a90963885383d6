"""A span and a measurement for each call of an engine."""

from __future__ import annotations

import asyncio

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from pointsman_server.chain.instrumented import Instrumented
from pointsman_server.core.errors import EngineFailed
from support.builders import SONNET, answer, query
from support.fakes import FakeClock, RecordingMeter, ScriptedEngine, failed

HTTP = {"http.request.method": "POST", "server.address": "morph.test"}


class Scene:
    """A traced engine and what it told."""

    def __init__(self, *script, http=HTTP):
        self.exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.clock, self.meter = FakeClock(), RecordingMeter()
        self.engine = Instrumented(
            ScriptedEngine(*script),
            name="morph",
            tracer=provider.get_tracer("test"),
            meter=self.meter.engine_call,
            clock=self.clock,
            http=http,
        )

    @property
    def span(self):
        (span,) = self.exporter.get_finished_spans()
        return span


async def test_an_answer_is_a_client_span_with_the_model_and_a_measurement():
    scene = Scene(lambda _: (scene.clock.advance(0.2), answer(SONNET))[1])
    assert await scene.engine.decide(query()) == answer(SONNET)
    assert scene.span.name == "pointsman.engine morph"
    assert scene.span.kind is SpanKind.CLIENT
    assert dict(scene.span.attributes) == {
        **HTTP,
        "pointsman.engine": "morph",
        "pointsman.routed_model": SONNET,
        "http.response.status_code": 200,
    }
    ((name, seconds, stage),) = scene.meter.engine_calls
    assert (name, round(seconds, 6), stage) == ("morph", 0.2, None)


async def test_an_embedded_engine_is_an_internal_span_without_http():
    scene = Scene(http=None)
    await scene.engine.decide(query())
    assert scene.span.kind is SpanKind.INTERNAL
    assert not any(name.startswith("http") for name in scene.span.attributes)


@pytest.mark.parametrize(
    ("stage", "code"), [("http_503", 503), ("timeout", None), ("circuit_open", None)]
)
async def test_a_failure_is_an_error_with_its_stage_and_passes(stage, code):
    scene = Scene(failed(stage))
    with pytest.raises(EngineFailed):
        await scene.engine.decide(query())
    assert scene.span.status.status_code is StatusCode.ERROR
    assert scene.span.attributes["error.type"] == stage
    assert scene.span.attributes.get("http.response.status_code") == code
    assert scene.span.events == ()
    assert [c[2] for c in scene.meter.engine_calls] == [stage]


async def test_a_cancelled_call_is_measured_and_passes():
    scene = Scene(asyncio.CancelledError())
    with pytest.raises(asyncio.CancelledError):
        await scene.engine.decide(query())
    assert len(scene.meter.engine_calls) == 1


async def test_no_prompt_is_in_a_span():
    scene = Scene()
    await scene.engine.decide(query(prompt="canary"))
    assert "canary" not in scene.span.to_json()
