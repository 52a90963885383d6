"""Requests that the Morph-compatible endpoint refuses, and engines that fail."""

from __future__ import annotations

import asyncio
import gzip
import logging
from pathlib import Path

import httpx
import pytest
from pointsman_server.core.errors import EngineFailed
from pointsman_server.core.model import (
    EngineFailure,
)
from pointsman_server.morph_api import KeyFile, Limits
from support.morph_endpoint import (
    CLASSIFY,
    KEY,
    PROMPT,
    ROUTE,
    Endpoint,
    Start,
    error_of,
)

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
