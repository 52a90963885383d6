"""The Morph-compatible endpoint over real sockets, before a small engine that always agrees."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from pointsman_server.core.errors import EngineFailed
from pointsman_server.core.model import (
    CatalogModel,
    Classification,
    EngineAnswer,
    EngineFailure,
    EngineQuery,
    Head,
    Source,
)
from pointsman_server.core.policy_file import LocalRules
from pointsman_server.engines.local import LocalEngine
from pointsman_server.fault_injection import FaultInjection, FaultScript
from pointsman_server.morph_api import FixedKeys, KeyFile, Limits, build_app, serve

KEY = "test-key-5c1d"
ROUTE = "/v1/router/multimodel"
CLASSIFY = "/v1/router/classify"
PROMPT = "Rewrite the parser canary-93be"
CATALOG = {
    "claude-opus-4-8": CatalogModel(
        public_id="anthropic/claude-opus-4.8", router_id="claude-opus-4-8"
    ),
    "gpt-5.5": CatalogModel(public_id="openai/gpt-5.5", router_id="gpt-5.5"),
    "gemini-3.5-flash": CatalogModel(
        public_id="google/gemini-3.5-flash", router_id="gemini-3.5-flash"
    ),
}
LABELS = Classification(
    difficulty=Head(label="medium", confidence=0.75, meets_threshold=True),
    ambiguity=Head(label="low", confidence=0.9, meets_threshold=True),
    domain=Head(label="coding", confidence=0.5, meets_threshold=False),
)


@dataclass
class FakeEngine:
    """Always picks the last candidate, unless a test says otherwise."""

    queries: list[EngineQuery] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)
    before: Callable[[], Awaitable[None]] | None = None
    router_model: str | None = None
    labels: Classification = LABELS

    async def decide(self, query: EngineQuery) -> EngineAnswer:
        self.queries.append(query)
        if self.before is not None:
            await self.before()
        pick = query.candidates[-1]
        return EngineAnswer(
            source=Source.LOCAL,
            model=pick.public_id,
            router_model=self.router_model or pick.router_id or "",
            difficulty="hard",
            confidence=0.8,
            ambiguity="low",
            domain="coding",
            domain_confidence=0.625,
        )

    async def classify(self, prompt: str) -> Classification:
        self.prompts.append(prompt)
        if self.before is not None:
            await self.before()
        return self.labels


@dataclass
class Endpoint:
    """A running endpoint and a client with its key."""

    engine: FakeEngine
    client: httpx.AsyncClient
    port: int
    script: FaultScript | None

    async def route(self, **fields: Any) -> httpx.Response:
        return await self.client.post(ROUTE, json={"input": PROMPT, **fields})

    async def script_faults(self, *steps: dict[str, Any]) -> None:
        answer = await self.client.post("/testing/faults", json=steps)
        assert answer.json() == {"steps_left": len(steps)}


Start = Callable[..., Awaitable[Endpoint]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    async with AsyncExitStack() as stack:

        async def starting(**options: Any) -> Endpoint:
            engine = FakeEngine()
            script = options.pop("faults", None)
            faults = None if script is None else FaultInjection(script)
            parts = {"keys": FixedKeys((KEY,)), "models": CATALOG, "faults": faults, **options}
            app = build_app(engine=engine, classifier=engine, **parts)
            listening = await serve(app)
            stack.push_async_callback(listening.aclose)
            client = httpx.AsyncClient(
                base_url=listening.url, headers={"Authorization": f"Bearer {KEY}"}, timeout=10
            )
            await stack.enter_async_context(client)
            return Endpoint(engine, client, listening.port, script)

        yield starting


@pytest.fixture
async def endpoint(start: Start) -> Endpoint:
    return await start()


@pytest.fixture
async def faulty(start: Start) -> Endpoint:
    return await start(faults=FaultScript())


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG)
    return caplog


def error_of(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    error: dict[str, Any] = response.json()["error"]
    assert error["request_id"] == response.headers["x-request-id"]
    return error


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


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize("path", [ROUTE, CLASSIFY, "/v1/nothing", "/testing/calls"])
@pytest.mark.parametrize("header", [None, "Bearer wrong", f"Basic {KEY}"])
async def test_nothing_but_health_answers_without_a_key(
    endpoint: Endpoint, path: str, header: str | None
) -> None:
    del endpoint.client.headers["Authorization"]
    headers = {} if header is None else {"Authorization": header}
    response = await endpoint.client.post(path, json={"input": PROMPT}, headers=headers)
    assert error_of(response, 401)["code"] == "unauthenticated"
    assert response.headers["www-authenticate"] == "Bearer"
    assert endpoint.engine.queries == []
    assert endpoint.engine.prompts == []


async def test_a_key_is_asked_for_before_the_body_is_read(endpoint: Endpoint) -> None:
    response = await endpoint.client.post(
        ROUTE, content=b"{", headers={"Authorization": "Bearer wrong"}
    )
    assert response.status_code == 401


async def test_health_answers_without_a_key(endpoint: Endpoint) -> None:
    del endpoint.client.headers["Authorization"]
    response = await endpoint.client.get("/health")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


async def test_a_key_that_is_rotated_in_its_file_is_followed(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("another-key\n")
    endpoint = await start(keys=KeyFile(file))
    assert (await endpoint.route()).status_code == 401
    file.write_text(f"another-key\n{KEY}\n")
    assert (await endpoint.route()).status_code == 200
    file.unlink()
    assert error_of(await endpoint.route(), 503)["code"] == "keys_unreadable"


@pytest.mark.parametrize(
    ("content", "content_type", "status", "code"),
    [
        (b'{"input":"x"}', "text/plain", 415, "unsupported_media_type"),
        (b"input=x", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        (b'{"input":"x"}', "", 415, "unsupported_media_type"),
        (b'{"input":', "application/json", 400, "invalid_json"),
        (b"", "application/json", 400, "invalid_json"),
        (b"\xff", "application/json", 400, "invalid_json"),
        (b"[]", "application/json", 422, "invalid_request"),
        (b" " * (1024 * 1024 + 1), "application/json", 413, "body_too_large"),
        (b'{"input":"x"}', "application/json; charset=utf-8", 200, None),
    ],
)
async def test_a_body_is_refused_for_what_is_wrong_with_it(
    endpoint: Endpoint, content: bytes, content_type: str, status: int, code: str | None
) -> None:
    for path in (ROUTE, CLASSIFY):
        response = await endpoint.client.post(
            path, content=content, headers={"Content-Type": content_type}
        )
        if code is None:
            assert response.status_code == status
        else:
            assert error_of(response, status)["code"] == code


async def test_a_body_that_unpacks_beyond_the_bound_is_too_large(endpoint: Endpoint) -> None:
    packed = gzip.compress(b" " * (64 * 1024 * 1024))
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    response = await endpoint.client.post(ROUTE, content=packed, headers=headers)
    assert error_of(response, 413)["code"] == "body_too_large"


async def test_a_body_that_does_not_come_is_not_waited_for(start: Start) -> None:
    endpoint = await start(limits=Limits(body_seconds=0.05))
    reader, writer = await asyncio.open_connection("127.0.0.1", endpoint.port)
    head = f"POST {ROUTE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
    writer.write(f"{head}Content-Type: application/json\r\nContent-Length: 9\r\n\r\n".encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 408 ")
    writer.close()
    await writer.wait_closed()


async def test_every_bad_field_is_named_at_once(endpoint: Endpoint) -> None:
    response = await endpoint.route(input=" ", allowed_models=["a", ""], policy="x")
    error = error_of(response, 422)
    assert [f["field"] for f in error["fields"]] == ["input", "allowed_models[1]", "policy"]
    assert endpoint.engine.queries == []


async def test_an_unknown_route_and_a_wrong_method_are_told_in_json(endpoint: Endpoint) -> None:
    missing = await endpoint.client.get("/v1/router/unknown")
    assert error_of(missing, 404)["code"] == "not_found"
    wrong = await endpoint.client.get(ROUTE)
    assert error_of(wrong, 405)["code"] == "method_not_allowed"
    assert wrong.headers["allow"] == "POST"


async def test_the_testing_routes_do_not_exist_unless_switched_on(endpoint: Endpoint) -> None:
    for path in ("/testing/faults", "/testing/calls"):
        assert (await endpoint.client.get(path)).status_code == 404


# ---------------------------------------------------------------- failures


async def test_an_engine_that_fails_is_a_503(endpoint: Endpoint) -> None:
    async def fail() -> None:
        raise EngineFailed(EngineFailure(engine="local", stage="unexpected_error"))

    endpoint.engine.before = fail
    assert error_of(await endpoint.route(), 503)["code"] == "engine_failed"
    classify = await endpoint.client.post(CLASSIFY, json={"input": PROMPT})
    assert error_of(classify, 503)["code"] == "engine_failed"


async def test_an_engine_that_does_not_come_back_is_a_503(start: Start) -> None:
    endpoint = await start(limits=Limits(engine_seconds=0.05))
    never = asyncio.Event()

    async def hang() -> None:
        await never.wait()

    endpoint.engine.before = hang
    assert error_of(await endpoint.route(), 503)["code"] == "engine_failed"


async def test_a_caller_that_leaves_ends_the_engines_work(endpoint: Endpoint) -> None:
    ended = asyncio.Event()

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    endpoint.engine.before = wait
    with pytest.raises(httpx.ReadTimeout):
        await endpoint.client.post(ROUTE, json={"input": PROMPT}, timeout=0.05)
    async with asyncio.timeout(4):
        await ended.wait()


async def test_an_answer_that_was_not_allowed_is_never_passed_on(endpoint: Endpoint) -> None:
    endpoint.engine.router_model = "something-else"
    assert error_of(await endpoint.route(), 503)["code"] == "engine_failed"


async def test_a_bug_is_told_to_the_log_without_its_words_and_not_to_the_caller(
    endpoint: Endpoint, logged: pytest.LogCaptureFixture
) -> None:
    async def fail() -> None:
        raise RuntimeError(PROMPT)

    endpoint.engine.before = fail
    response = await endpoint.route()
    assert error_of(response, 500)["code"] == "internal"
    assert "canary" not in response.text
    assert "RuntimeError" in logged.text
    assert "canary" not in logged.text


async def test_no_log_line_holds_a_prompt_or_a_key(
    faulty: Endpoint, logged: pytest.LogCaptureFixture
) -> None:
    await faulty.script_faults({"status": 503}, {"broken_body": True}, {"reset": True})
    for fields in ({}, {"policy": PROMPT}, {"input": PROMPT * 2_000}, {}, {}):
        try:
            await faulty.route(**fields)
        except httpx.TransportError:
            continue
    _, writer = await asyncio.open_connection("127.0.0.1", faulty.port)
    writer.write(f"POST {ROUTE} HTTP/1.1\r\nBad header {PROMPT} {KEY}\r\n\r\n".encode())
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    await faulty.client.get("/health")
    server = [r for r in logged.records if not r.name.startswith(("httpx", "httpcore"))]
    text = "\n".join(logging.Formatter().format(record) for record in server)
    assert "canary-93be" not in text
    assert KEY not in text


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


# ---------------------------------------------------------------- the testing switch


async def test_a_status_is_scripted_and_then_the_truth_is_told_again(faulty: Endpoint) -> None:
    await faulty.script_faults({"status": 503, "times": 2}, {"status": 204}, {"status": 429})
    statuses = [(await faulty.route()).status_code for _ in range(5)]
    assert statuses == [503, 503, 204, 429, 200]


@pytest.mark.parametrize(
    ("step", "status", "body"),
    [
        ({"body": "<html>"}, 200, b"<html>"),
        ({"json": None}, 200, b"null"),
        ({"json": {"model": "x"}, "status": 201}, 201, b'{"model": "x"}'),
        ({"status": 500, "body": "oops"}, 500, b"oops"),
        ({"redirect": "http://127.0.0.1:9/x"}, 307, b""),
        ({"redirect": "http://127.0.0.1:9/x", "status": 301}, 301, b""),
    ],
)
async def test_a_literal_answer_is_sent_as_it_is(
    faulty: Endpoint, step: dict[str, Any], status: int, body: bytes
) -> None:
    await faulty.script_faults(step)
    response = await faulty.route()
    assert (response.status_code, response.content) == (status, body)
    assert response.headers.get("location") == step.get("redirect")
    assert faulty.engine.queries == []


async def test_a_wrong_model_is_answered_in_an_otherwise_true_answer(faulty: Endpoint) -> None:
    truth = (await faulty.route()).json()
    await faulty.script_faults({"wrong_model": "claude-haiku-4-5-20251001"})
    answer = (await faulty.route()).json()
    assert answer == {**truth, "model": "claude-haiku-4-5-20251001"}


async def test_a_delay_lets_the_true_answer_come_late(faulty: Endpoint) -> None:
    await faulty.script_faults({"delay_ms": 300, "times": 2})
    with pytest.raises(httpx.ReadTimeout):
        await faulty.client.post(ROUTE, json={"input": PROMPT}, timeout=0.1)
    assert (await faulty.route()).json()["model"] == "gemini-3.5-flash"


async def test_a_stalled_body_has_headers_and_nothing_else(faulty: Endpoint) -> None:
    await faulty.script_faults({"stall_body": True})
    request = faulty.client.build_request("POST", ROUTE, json={"input": PROMPT}, timeout=0.2)
    response = await faulty.client.send(request, stream=True)
    assert response.status_code == 200
    with pytest.raises(httpx.ReadTimeout):
        await response.aread()


async def test_a_slow_body_comes_byte_by_byte_and_whole(faulty: Endpoint) -> None:
    await faulty.script_faults({"slow_body_ms_per_byte": 1, "json": {"model": "x"}})
    request = faulty.client.build_request("POST", ROUTE, json={"input": PROMPT})
    response = await faulty.client.send(request, stream=True)
    chunks = [chunk async for chunk in response.aiter_raw()]
    assert json.loads(b"".join(chunks)) == {"model": "x"}
    assert len(chunks) > 1


@pytest.mark.parametrize(
    ("step", "error"),
    [
        ({"broken_body": True}, httpx.RemoteProtocolError),
        ({"broken_body": True, "body": "{}"}, httpx.RemoteProtocolError),
        ({"reset": True}, httpx.ReadError),
    ],
)
async def test_a_connection_breaks_as_scripted(
    faulty: Endpoint, step: dict[str, Any], error: type[Exception]
) -> None:
    await faulty.script_faults(step)
    with pytest.raises(error):
        await faulty.route()
    assert (await faulty.route()).status_code == 200


async def test_a_huge_body_is_true_and_only_its_size_is_wrong(faulty: Endpoint) -> None:
    await faulty.script_faults({"huge_body_bytes": 200_001})
    response = await faulty.route()
    assert len(response.content) == 200_001
    assert "content-length" not in response.headers
    assert response.json()["model"] == "gemini-3.5-flash"


async def test_a_script_may_be_there_from_the_start(start: Start) -> None:
    endpoint = await start(faults=FaultScript([{"status": 503, "times": -1}]))
    assert (await endpoint.route()).status_code == 503
    assert (await endpoint.client.get("/health")).status_code == 200
    await endpoint.client.delete("/testing/faults")
    assert (await endpoint.route()).status_code == 200


async def test_a_bad_script_is_refused_and_changes_nothing(faulty: Endpoint) -> None:
    await faulty.script_faults({"status": 503})
    response = await faulty.client.post("/testing/faults", json=[{"status": 1, "slow": 2}])
    fields = [f["field"] for f in error_of(response, 422)["fields"]]
    assert fields == ["[0].status", "[0].slow"]
    assert (await faulty.client.get("/testing/faults")).json() == {"steps_left": 1}


async def test_what_arrived_can_be_read_without_the_key(faulty: Endpoint) -> None:
    await faulty.script_faults({"status": 503})
    await faulty.route()
    await faulty.client.post(CLASSIFY, content=b"{", headers={"Authorization": "Bearer wrong"})
    await faulty.client.get("/health")
    seen = (await faulty.client.get("/testing/calls")).json()
    assert seen["count"] == 2
    first, second = seen["calls"]
    assert (first["method"], first["path"], first["body"]) == ("POST", ROUTE, {"input": PROMPT})
    assert first["headers"]["authorization"] == "[redacted]"
    assert first["headers"]["content-type"] == "application/json"
    assert (second["path"], second["body"]) == (CLASSIFY, "{")
    assert first["key_fingerprint"] != second["key_fingerprint"]
    assert KEY not in json.dumps(seen)
    assert (await faulty.client.delete("/testing/calls")).json() == {"count": 0, "calls": []}


@pytest.mark.parametrize("call", [("GET", "calls"), ("POST", "faults"), ("DELETE", "faults")])
async def test_the_testing_routes_need_the_key(faulty: Endpoint, call: tuple[str, str]) -> None:
    method, name = call
    response = await faulty.client.request(
        method, f"/testing/{name}", headers={"Authorization": "Bearer wrong"}
    )
    assert response.status_code == 401


# ---------------------------------------------------------------- start and stop


async def test_what_is_being_answered_is_finished_before_the_end() -> None:
    engine, entered, go_on = FakeEngine(), asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        entered.set()
        await go_on.wait()

    engine.before = wait
    app = build_app(engine=engine, classifier=engine, models=CATALOG, keys=FixedKeys((KEY,)))
    listening = await serve(app, grace=10)
    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(base_url=listening.url, headers=headers) as client:
        answering = asyncio.create_task(client.post(ROUTE, json={"input": PROMPT}))
        await entered.wait()
        closing = asyncio.create_task(listening.aclose())
        await asyncio.sleep(0)
        go_on.set()
        assert (await answering).status_code == 200
        await closing
        with pytest.raises(httpx.ConnectError):
            await client.get("/health")
    await listening.aclose()


@pytest.mark.parametrize(
    "step", [{"stall_body": True}, {"delay_ms": 600_000}, {"slow_body_ms_per_byte": 600_000}]
)
async def test_no_scripted_fault_holds_up_the_end(step: dict[str, Any]) -> None:
    engine, script = FakeEngine(), FaultScript([step])
    app = build_app(
        engine=engine,
        classifier=engine,
        models=CATALOG,
        keys=FixedKeys((KEY,)),
        faults=FaultInjection(script),
    )
    listening = await serve(app, grace=60)
    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(base_url=listening.url, headers=headers) as client:
        waiting = asyncio.create_task(client.post(ROUTE, json={"input": PROMPT}, timeout=60))
        await _arrived(script)
        async with asyncio.timeout(30):
            await listening.aclose()
        await asyncio.wait([waiting])
        waiting.exception()


async def _arrived(script: FaultScript) -> None:
    while not script.count:  # noqa: ASYNC110 - the call comes over a socket, not from here
        await asyncio.sleep(0.01)


async def test_a_port_that_is_taken_is_said() -> None:
    engine = FakeEngine()
    apps = [
        build_app(engine=engine, classifier=engine, models=CATALOG, keys=FixedKeys((KEY,)))
        for _ in range(2)
    ]
    first = await serve(apps[0])
    with pytest.raises(OSError, match="address already in use"):
        await serve(apps[1], port=first.port)
    await first.aclose()


# ---------------------------------------------------------------- with the embedded engine

LOSS = {"balanced": 0.05, "cost_efficient": 0.1, "capability_heavy": 0.02, "domain_skills": 0.0}
VOCABULARY = {
    "difficulty": {"easy", "medium", "hard", "needs_info"},
    "ambiguity": {"low", "med", "high"},
    "domain": {"general", "summary", "coding", "design", "data"},
}


@pytest.fixture
async def embedded() -> AsyncIterator[httpx.AsyncClient]:
    local = LocalEngine.load(LocalRules(quality_loss=LOSS))
    app = build_app(engine=local, classifier=local, models=CATALOG, keys=FixedKeys((KEY,)))
    listening = await serve(app)
    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(base_url=listening.url, headers=headers, timeout=30) as client:
        yield client
    await listening.aclose()


@pytest.mark.parametrize("policy", list(LOSS))
async def test_the_embedded_engine_decides_under_every_policy(
    embedded: httpx.AsyncClient, policy: str
) -> None:
    allowed = ["mystery-9", "openai/gpt-5.5", "claude-opus-4-8"]
    body = {"input": PROMPT, "allowed_models": allowed, "policy": policy}
    answers = [(await embedded.post(ROUTE, json=body)).json() for _ in range(2)]
    assert answers[0] == answers[1]
    assert answers[0]["model"] in allowed
    for head, labels in VOCABULARY.items():
        assert answers[0][head] in labels


async def test_the_embedded_engine_labels_prompts(embedded: httpx.AsyncClient) -> None:
    response = await embedded.post(CLASSIFY, json={"input": "Write a SQL query over two tables."})
    found = response.json()["classifications"]
    assert set(found) == set(VOCABULARY)
    for head, labels in VOCABULARY.items():
        assert found[head]["label"] in labels
        assert 0 <= found[head]["confidence"] <= 1


async def test_the_embedded_engine_answers_a_crowd(embedded: httpx.AsyncClient) -> None:
    prompts = [f"Task {n}: explain what a monoid is." for n in range(100)]
    responses = await asyncio.gather(*(embedded.post(ROUTE, json={"input": p}) for p in prompts))
    assert {response.status_code for response in responses} == {200}
    assert {response.json()["model"] for response in responses} <= set(CATALOG)


# ---------------------------------------------------------------- the vendor's SDK

EFFORTS = ("low", "medium", "high")
WITH_EFFORTS = CATALOG | {
    "gpt-5": CatalogModel(public_id="openai/gpt-5", router_id="gpt-5", reasoning_efforts=EFFORTS),
    "gpt-x": CatalogModel(public_id="openai/gpt-x", router_id="gpt-x", experimental=True),
}


@pytest.mark.parametrize(
    ("provider", "models", "picked"),
    [
        ("openai", ["gpt-5.5", "gpt-5"], "gpt-5-high"),
        ("anthropic", [], "claude-opus-4-8"),
        ("gemini", [], "gemini-3.5-flash"),
    ],
)
async def test_a_provider_route_selects_among_the_models_of_its_provider(
    start: Start, provider: str, models: list[str], picked: str
) -> None:
    endpoint = await start(models=WITH_EFFORTS)
    response = await endpoint.client.post(f"/v1/router/{provider}", json={"input": PROMPT})
    assert (response.status_code, response.json()) == (200, {"model": picked})
    assert [[m.router_id for m in q.candidates] for q in endpoint.engine.queries] == (
        [models] if models else []
    )


@pytest.mark.parametrize(
    ("mode", "policy"),
    [({}, "balanced"), ({"mode": None}, "balanced"), ({"mode": "balanced"}, "balanced"),
     ({"mode": "aggressive"}, "capability_heavy")],
)  # fmt: skip
async def test_a_mode_is_a_policy(start: Start, mode: dict[str, Any], policy: str) -> None:
    endpoint = await start(models=WITH_EFFORTS)
    await endpoint.client.post("/v1/router/openai", json={"input": PROMPT, **mode})
    assert [query.policy for query in endpoint.engine.queries] == [policy]


@pytest.mark.parametrize(
    ("label", "name"), [("easy", "gpt-5-low"), ("medium", "gpt-5-medium"), ("hard", "gpt-5-high")]
)
async def test_the_effort_follows_the_prompt_even_where_there_is_one_model(
    start: Start, label: str, name: str
) -> None:
    endpoint = await start(models={"gpt-5": WITH_EFFORTS["gpt-5"]})
    endpoint.engine.labels = Classification(
        difficulty=Head(label=label, confidence=0.9, meets_threshold=True)
    )
    response = await endpoint.client.post("/v1/router/openai", json={"input": PROMPT})
    assert response.json() == {"model": name}


async def test_the_raw_route_answers_the_difficulty(endpoint: Endpoint) -> None:
    response = await endpoint.client.post("/v1/router/raw", json={"input": PROMPT})
    assert response.json() == {"difficulty": "medium"}


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("openai", {"input": PROMPT, "mode": "cheap"}, "mode"),
        ("raw", {"input": " "}, "input"),
        ("anthropic", {}, "input"),
    ],
)
async def test_a_bad_body_of_the_sdk_is_refused_with_the_name_of_its_field(
    endpoint: Endpoint, path: str, body: dict[str, Any], field: str
) -> None:
    error = error_of(await endpoint.client.post(f"/v1/router/{path}", json=body), 422)
    assert [bad["field"] for bad in error["fields"]] == [field]
    assert field in error["message"]


async def test_a_provider_without_models_is_refused_and_an_unknown_route_not_found(
    start: Start,
) -> None:
    endpoint = await start(models={"gpt-5.5": CATALOG["gpt-5.5"]})
    refused = await endpoint.client.post("/v1/router/gemini", json={"input": PROMPT})
    assert error_of(refused, 422)["fields"][0]["field"] == "provider"
    unknown = await endpoint.client.post("/v1/router/acme", json={"input": PROMPT})
    assert error_of(unknown, 404)["code"] == "not_found"


async def test_an_engine_that_fails_asks_for_another_try_soon(endpoint: Endpoint) -> None:
    async def fail() -> None:
        raise EngineFailed(EngineFailure(engine="local", stage="unexpected_error"))

    endpoint.engine.before = fail
    response = await endpoint.client.post("/v1/router/raw", json={"input": PROMPT})
    assert error_of(response, 503)["code"] == "engine_failed"
    assert response.headers["retry-after"] == "1"


async def test_connections_whose_request_does_not_come_are_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pointsman_server.http_api.server.HEAD_SECONDS", 0.3)
    app = build_app(
        engine=FakeEngine(), classifier=FakeEngine(), models=CATALOG, keys=FixedKeys((KEY,))
    )
    listening = await serve(app)
    try:
        silent = [await asyncio.open_connection(listening.host, listening.port) for _ in range(300)]
        for number, (_, writer) in enumerate(silent):
            writer.write(b"POST /v1/router/multimodel HTTP/1.1\r\nhost: x\r\n"[: number % 50])
        async with asyncio.timeout(20):
            for reader, writer in silent:
                with contextlib.suppress(ConnectionResetError):
                    await reader.read()
                writer.close()
        async with httpx.AsyncClient() as client:
            for _ in range(2):
                assert (await client.get(f"{listening.url}/health")).status_code == 200
                await asyncio.sleep(0.5)  # an idle connection that asked once is kept
    finally:
        await listening.aclose()
