"""Events, spans and log lines of fallbacks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from support.llm_calls import SECRET, Calls, route, run, status


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[Any]]]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    yield lambda: list(exporter.get_finished_spans())
    provider.shutdown()


def events(spans: list[Any]) -> list[tuple[str, Any, Any]]:
    [whole] = [s for s in spans if s.name == "pointsman.run_with_fallback"]
    return [
        (e.name, e.attributes.get("pointsman.profile"), e.attributes.get("error.type"))
        for e in whole.events
    ]


async def test_a_fallback_is_told_as_events_and_lines(
    spans: Callable[[], list[Any]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "pointsman_client")

    await run(route("a", "b", "c"), Calls(a=status(429), b=status(503)))

    assert events(spans()) == [
        ("pointsman.fallback.candidate_failed", "a", "http_429"),
        ("pointsman.fallback.triggered", "b", "http_429"),
        ("pointsman.fallback.candidate_failed", "b", "http_503"),
        ("pointsman.fallback.succeeded", "c", None),
    ]
    assert [(r.levelname, r.event) for r in caplog.records] == [  # type: ignore[attr-defined]
        ("WARNING", "fallback_candidate_failed"),
        ("WARNING", "fallback_triggered"),
        ("WARNING", "fallback_candidate_failed"),
        ("INFO", "fallback_succeeded"),
    ]
    assert SECRET not in caplog.text + repr([s.to_json() for s in spans()])
    assert "r-1" not in caplog.text + repr([s.to_json() for s in spans()])


async def test_each_attempt_has_its_span(spans: Callable[[], list[Any]]) -> None:
    await run(route("a", "b"), Calls(a=status(429)))

    first, second = [s for s in spans() if s.name == "pointsman.attempt"]
    [whole] = [s for s in spans() if s.name == "pointsman.run_with_fallback"]
    assert first.attributes["pointsman.profile"] == "a"
    assert first.attributes["error.type"] == "http_429"
    assert first.status.status_code is trace.StatusCode.ERROR
    assert second.status.status_code is trace.StatusCode.UNSET
    assert {s.parent.span_id for s in (first, second)} == {whole.context.span_id}
    assert whole.status.status_code is trace.StatusCode.UNSET


async def test_nothing_left_is_told_as_exhausted(
    spans: Callable[[], list[Any]], caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(httpx.HTTPStatusError):
        await run(route("a", "b"), Calls(a=status(429), b=status(503)))

    assert events(spans())[-1] == ("pointsman.fallback.exhausted", None, "http_503")
    assert caplog.records[-1].levelname == "ERROR"
    assert SECRET not in caplog.text


async def test_an_error_that_is_not_eligible_is_not_told_as_exhausted(
    spans: Callable[[], list[Any]],
) -> None:
    with pytest.raises(httpx.HTTPStatusError):
        await run(route("a", "b"), Calls(a=status(400)))

    [(name, _, kind)] = events(spans())
    assert (name, kind) == ("pointsman.fallback.candidate_failed", "http_400")


async def test_a_first_attempt_that_answers_is_no_line_of_note(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "pointsman_client")

    await run(route("a"), Calls())

    assert caplog.records == []
