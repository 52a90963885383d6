"""The testing switch of the Morph-compatible endpoint, and its start and stop."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from pointsman_server.fault_injection import FaultInjection, FaultScript
from pointsman_server.morph_api import FixedKeys, build_app, serve
from support.morph_endpoint import (
    CATALOG,
    CLASSIFY,
    KEY,
    PROMPT,
    ROUTE,
    Endpoint,
    FakeEngine,
    Start,
    error_of,
)

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
