"""Bodies that the processor cannot read: no tier reaches a provider."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from typing import Any

import pytest
from pointsman_client.testing import FOREVER, FakeService, Refusal, routed
from pointsman_extproc.wire import external_processor_pb2 as pb
from support.envoy_requests import BODIES, DECIDED, MOST, PICK, SIDES, TIER, TURNS, UNREADABLE, chat


@pytest.mark.parametrize("name", UNREADABLE)
@pytest.mark.parametrize("pick", [PICK, None])
async def test_a_body_that_is_not_understood_lets_no_tier_through(
    name: str, pick: str | None, envoy: Any
) -> None:
    through = envoy(tiers={TIER: pick})
    sent = await through.send(UNREADABLE[name])
    assert sent.status or (pick and PICK.encode() in sent.body)
    assert "frontier" not in sent.body.decode("latin-1").lower() or sent.status
    assert through.count("unreadable") == 1


@pytest.mark.parametrize(("path", "body"), [*TURNS[:4], TURNS[7], *SIDES[:3]])
@pytest.mark.parametrize("answer", [Refusal(status="UNAVAILABLE"), routed(TIER), None])
async def test_without_a_usable_decision_the_static_pick_serves(
    path: str, body: str, answer: Any, envoy: Any, fake: FakeService
) -> None:
    if answer is None:
        fake.answer(routed(DECIDED), delay=FOREVER)
    else:
        fake.answer(answer)
    sent = await envoy(timeout=0.3 if answer is None else 30.0).send(BODIES[body], path)
    assert sent.model == PICK


async def test_without_a_static_pick_the_client_gets_an_answer(
    envoy: Any, fake: FakeService
) -> None:
    fake.answer(Refusal(status="UNAVAILABLE"))
    sent = await envoy(tiers={TIER: None}).send(chat())
    assert sent.status == 503


async def test_an_encoding_that_is_not_read_is_refused(envoy: Any) -> None:
    through = envoy()
    sent = await through.send(b"(\xb5/\xfd", content_encoding="zstd")
    assert (sent.status, through.count("encoded")) == (415, 1)
    assert (await through.send(b"no gzip", content_encoding="gzip")).status == 415


async def test_a_body_is_expanded_no_further_than_the_bound(envoy: Any) -> None:
    bomb = gzip.compress(b" " * (64 * MOST))
    began = time.monotonic()
    sent = await envoy().send(bomb, content_encoding="gzip")
    assert sent.status == 413
    assert time.monotonic() - began < 1.0


async def test_the_start_of_a_long_body_may_name_its_model(envoy: Any) -> None:
    tail = b',"messages":[],"x":"' + b"x" * (2 * MOST) + b'"}'
    raw = b'{"stream":true, "model":%s"%s"' % (b" " * 4, TIER.encode()) + tail
    through = envoy()
    for length in (str(len(raw)), ""):
        sent = await through.send(raw[:MOST], content_length=length, whole=False)
        assert sent.mode == pb.ProcessingMode.BUFFERED_PARTIAL
        assert sent.body.startswith(b'{"stream":true, "model":    "%s",' % PICK.encode())
        assert "content-length" not in sent.headers
    whole = await through.send(raw)
    assert whole.model == PICK
    concrete = raw.replace(TIER.encode(), b"vendor/m")
    assert (await through.send(concrete[:MOST], whole=False)).body == concrete[:MOST]
    assert through.count("too_large") == 4


async def test_a_long_body_whose_model_may_come_later_is_refused(envoy: Any) -> None:
    raw = json.dumps({"messages": ["x" * (2 * MOST)], "model": TIER}).encode()
    through = envoy()
    assert (await through.send(raw[:MOST], whole=False)).status == 413
    assert (await through.send(gzip.compress(raw), whole=False, content_encoding="gzip")).status
    path = f"/v1beta/models/{TIER}:generateContent"
    sent = await through.send(raw[:MOST], path, whole=False)
    assert (sent.path, sent.body) == (path.replace(TIER, PICK), raw[:MOST])


async def test_bodies_beyond_what_may_be_held_are_refused(envoy: Any) -> None:
    through = envoy(most_held_bytes=10)
    assert (await through.send(chat())).status == 503
    assert through.count("busy") == 1


async def test_a_bug_lets_no_tier_through(
    envoy: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise LookupError("canary")

    monkeypatch.setattr("pointsman_extproc.choosing.tier_request", broken)
    through = envoy()
    sent = await through.send(chat())
    assert (sent.model, through.count("fault", model_set=True)) == (PICK, 1)
    assert "LookupError" in caplog.text
    assert "canary" not in caplog.text


@pytest.mark.parametrize("size", [MOST, 16 * MOST])
async def test_a_hostile_body_does_not_hold_up_others(
    size: int, envoy: Any, fake: FakeService
) -> None:
    fake.always(routed(DECIDED))
    hostile = b'{"model":"%s","x":[' % TIER.encode() + b"[]," * (size // 3 - 20) + b"[]]}"
    through = envoy(most_bytes=size, timeout=0.25)
    # The processes are there, as after a start.
    await through.send(chat(padding="x" * 100_000))
    await asyncio.sleep(1.5)
    waits: list[float] = []

    async def others() -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0)
            waits.append(time.perf_counter() - began)
            await asyncio.sleep(0.001)

    beat = asyncio.create_task(others())
    sent = await through.send(hostile)
    beat.cancel()
    assert not sent.names_tier()
    # 20 ms on a machine of its own; this one may be busy with something else.
    assert sorted(waits)[int(len(waits) * 0.98)] < 0.02
    assert max(waits) < 0.2
