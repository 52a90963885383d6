"""The routes of the vendor's SDK."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import httpx
import pytest
from pointsman_server.core.errors import EngineFailed
from pointsman_server.core.model import (
    CatalogModel,
    Classification,
    EngineFailure,
    Head,
)
from pointsman_server.morph_api import FixedKeys, build_app, serve
from support.morph_endpoint import (
    CATALOG,
    KEY,
    PROMPT,
    Endpoint,
    FakeEngine,
    Start,
    error_of,
)

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
