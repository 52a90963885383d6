"""The answers of the Morph-compatible endpoint, their headers and traces."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from pointsman_server.core.errors import EngineFailed
from pointsman_server.core.model import (
    EngineFailure,
)
from support.morph_endpoint import (
    CATALOG,
    CLASSIFY,
    PROMPT,
    ROUTE,
    Endpoint,
    Start,
)

# ---------------------------------------------------------------- answers


async def test_a_decision_names_the_model_as_the_caller_does(endpoint: Endpoint) -> None:
    response = await endpoint.route(
        allowed_models=["claude-opus-4-8", "gemini-3.5-flash"],
        policy="capability_heavy",
        default_model="gemini-3.5-flash",
    )
    assert response.status_code == 200
    assert response.json() == {
        "model": "gemini-3.5-flash",
        "provider": "gemini",
        "difficulty": "hard",
        "confidence": 0.8,
        "ambiguity": "low",
        "domain": "coding",
        "domain_confidence": 0.625,
    }
    (query,) = endpoint.engine.queries
    assert query.prompt == PROMPT
    assert [m.router_id for m in query.candidates] == ["claude-opus-4-8", "gemini-3.5-flash"]
    assert query.policy == "capability_heavy"
    assert query.default.router_id == "gemini-3.5-flash"


async def test_without_a_list_the_whole_catalog_is_decided_between(endpoint: Endpoint) -> None:
    await endpoint.route()
    (query,) = endpoint.engine.queries
    assert [m.router_id for m in query.candidates] == list(CATALOG)
    assert query.policy == "balanced"


async def test_models_outside_the_catalog_are_decided_between(endpoint: Endpoint) -> None:
    response = await endpoint.route(allowed_models=["claude-opus-4-8", "mystery-9"])
    assert response.json()["model"] == "mystery-9"
    assert "provider" not in response.json()


async def test_a_single_model_is_answered_with_labels_and_without_the_engine(
    endpoint: Endpoint,
) -> None:
    response = await endpoint.route(allowed_models=["gpt-5.5"])
    assert response.json() == {
        "model": "gpt-5.5",
        "provider": "openai",
        "difficulty": "medium",
        "confidence": 0.75,
        "ambiguity": "low",
        "ambiguity_confidence": 0.9,
        "domain": "coding",
        "domain_confidence": 0.5,
    }
    assert endpoint.engine.queries == []


async def test_a_single_model_is_answered_even_when_the_classifier_fails(
    endpoint: Endpoint, logged: pytest.LogCaptureFixture
) -> None:
    async def fail() -> None:
        raise EngineFailed(EngineFailure(engine="local", stage="unexpected_error"))

    endpoint.engine.before = fail
    response = await endpoint.route(allowed_models=["gpt-5.5"])
    assert response.json() == {"model": "gpt-5.5", "provider": "openai"}
    assert "answered without labels: local: unexpected_error" in logged.text


async def test_labels_come_wrapped_with_their_places(endpoint: Endpoint) -> None:
    response = await endpoint.client.post(
        CLASSIFY, json={"input": PROMPT, "classes": ["domain", "difficulty"]}
    )
    assert response.json() == {
        "classifications": {
            "difficulty": {
                "class_id": 1,
                "label": "medium",
                "confidence": 0.75,
                "meets_threshold": True,
            },
            "domain": {
                "class_id": 2,
                "label": "coding",
                "confidence": 0.5,
                "meets_threshold": False,
            },
        }
    }
    assert endpoint.engine.prompts == [PROMPT]


@pytest.mark.parametrize("path", [ROUTE, CLASSIFY])
async def test_no_more_than_a_bounded_prompt_reaches_the_engine(
    endpoint: Endpoint, path: str
) -> None:
    await endpoint.client.post(path, json={"input": "é" * 5_000})
    seen = [*endpoint.engine.prompts, *(q.prompt for q in endpoint.engine.queries)]
    assert seen == ["é" * 1_000]


# ---------------------------------------------------------------- headers and traces


async def test_every_answer_carries_an_id_and_small_headers(endpoint: Endpoint) -> None:
    responses = [
        await endpoint.route(),
        await endpoint.client.get("/health"),
        await endpoint.client.get("/nothing"),
    ]
    assert len({r.headers["x-request-id"] for r in responses}) == 3
    for response in responses:
        assert response.headers["server"] == "pointsman"
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("offered", "kept"), [("req-1.A_b", True), ("two words", False), ("x" * 65, False)]
)
async def test_a_request_id_is_kept_if_it_is_plain(
    endpoint: Endpoint, offered: str, kept: bool
) -> None:
    response = await endpoint.client.get("/health", headers={"X-Request-Id": offered})
    assert (response.headers["x-request-id"] == offered) is kept


async def test_the_callers_trace_goes_on_without_a_word_of_the_prompt(start: Start) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    endpoint = await start(tracer=provider.get_tracer("test"))
    trace_id, parent_id = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    endpoint.client.headers["traceparent"] = f"00-{trace_id}-{parent_id}-01"
    await endpoint.route()
    await endpoint.client.get("/v1/unknown/canary-93be")
    endpoint.engine.router_model = "something-else"
    await endpoint.route()
    routed, unknown, failed = exporter.get_finished_spans()
    assert routed.name == f"POST {ROUTE}"
    assert routed.kind is SpanKind.SERVER
    assert f"{routed.context.trace_id:032x}" == trace_id
    assert routed.parent is not None
    assert f"{routed.parent.span_id:016x}" == parent_id
    assert dict(routed.attributes or {}) == {
        "http.request.method": "POST",
        "url.scheme": "http",
        "http.route": ROUTE,
        "http.response.status_code": 200,
    }
    assert unknown.name == "GET"
    assert failed.status.status_code is StatusCode.ERROR
    assert (failed.attributes or {})["error.type"] == "503"
    assert all("canary" not in span.to_json() for span in (routed, unknown, failed))
    provider.shutdown()


async def test_a_broken_traceparent_starts_a_trace_of_its_own(start: Start) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    endpoint = await start(tracer=provider.get_tracer("test"))
    endpoint.client.headers["traceparent"] = "00-zz-zz-01"
    assert (await endpoint.route()).status_code == 200
    assert exporter.get_finished_spans()[0].parent is None
    provider.shutdown()
