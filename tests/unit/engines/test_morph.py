"""Engine `morph` over a transport in memory: what is sent, what is made of what comes back."""

from __future__ import annotations

import asyncio
import json
import logging
import traceback

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.chain.error_boundary import ErrorBoundary
from pointsman_server.core.engine_rules import MorphRules
from pointsman_server.core.errors import EngineFailed, SourceUnreadable
from pointsman_server.engines.remote.caller import call_budget
from pointsman_server.engines.remote.client import client_over
from pointsman_server.engines.remote.keys import FileKey
from support.builders import GPT, OPUS, SONNET, answer, model, query
from support.fakes import FakeClock
from support.remote import morph_engine

KEY = "sk-canary"
SAYS_SONNET = b'{"model": "claude-sonnet-4-6", "difficulty": "hard", "confidence": 0.9}'


class Key:
    def __init__(self, key=KEY):
        self.key = key

    def read(self):
        if isinstance(self.key, Exception):
            raise self.key
        return self.key


class Upstream:
    """An engine over a transport that keeps requests and gives one answer, or raises it."""

    def __init__(self, body=SAYS_SONNET, *, status=200, headers=None, key=None, **rules):
        self.body, self.status, self.headers = body, status, headers or {}
        self.requests = []
        self.traces = [{"traceparent": "00-trace"}] * 100
        self.clock = FakeClock()
        self.rules = MorphRules(**{"url": "https://morph.test", **rules})
        self.transport = httpx.MockTransport(self.handle)
        self.engine = morph_engine(
            client_over(self.transport),
            rules=self.rules,
            key=key or Key(),
            clock=self.clock,
            propagate=lambda headers: headers.update(self.traces.pop(0)),
        )

    async def handle(self, request):
        self.requests.append(request)
        body = self.body(request) if callable(self.body) else self.body
        if isinstance(body, Exception):
            raise body

        async def chunks():
            for start in range(0, len(body), 10_000):
                yield body[start : start + 10_000]

        return httpx.Response(self.status, headers=self.headers, content=chunks())

    async def decide(self, **changes):
        return await self.engine.decide(query(**changes))

    async def failure(self, **changes):
        with pytest.raises(EngineFailed) as caught:
            await self.decide(**changes)
        assert caught.value.failure.engine == "morph"
        return caught.value

    async def stage(self, **changes):
        return (await self.failure(**changes)).failure.stage


# ---------------------------------------------------------------- what is sent


async def test_the_answer_is_morphs():
    assert await Upstream().decide() == answer(SONNET)


async def test_prompt_router_ids_policy_and_default_leave_the_process_and_nothing_else():
    upstream = Upstream()
    asked = query(GPT, OPUS, SONNET, prompt="Fix “it” 🚂", default=model(SONNET))
    await upstream.engine.decide(asked)
    (request,) = upstream.requests
    assert (request.method, str(request.url)) == (
        "POST",
        "https://morph.test/v1/router/multimodel",
    )
    assert json.loads(request.content) == {
        "input": "Fix “it” 🚂",
        "allowed_models": ["gpt-5.5", "claude-opus-4-8", "claude-sonnet-4-6"],
        "policy": "capability_heavy",
        "default_model": "claude-sonnet-4-6",
    }
    assert set(request.headers) <= {
        "host",
        "accept",
        "accept-encoding",
        "authorization",
        "connection",
        "content-length",
        "content-type",
        "traceparent",
        "user-agent",
    }


async def test_headers_carry_the_key_the_trace_and_ask_for_an_uncompressed_body():
    upstream = Upstream()
    await upstream.decide()
    headers = upstream.requests[0].headers
    assert headers["authorization"] == f"Bearer {KEY}"
    assert headers["content-type"] == "application/json"
    assert headers["accept-encoding"] == "identity"
    assert headers["traceparent"] == "00-trace"


async def test_a_trace_is_of_its_own_call_alone_and_a_changed_key_of_the_next():
    traces = [{}, {"traceparent": "00-one"}, {}, {}]
    key = Key()
    upstream = Upstream(key=key)
    upstream.traces = traces
    for rotated in ("a", "a", "a", "b"):
        key.key = rotated
        await upstream.decide()
    told = [(r.headers["authorization"], r.headers.get("traceparent")) for r in upstream.requests]
    assert told == [
        ("Bearer a", None),
        ("Bearer a", "00-one"),
        ("Bearer a", None),
        ("Bearer b", None),
    ]


@pytest.mark.parametrize("url", ["https://morph.test/base", "https://morph.test/base/"])
async def test_the_path_is_appended_to_the_base_url(url):
    upstream = Upstream(url=url)
    await upstream.decide()
    assert upstream.requests[0].url.path == "/base/v1/router/multimodel"


@given(st.text(min_size=1, max_size=50))
def test_any_prompt_arrives_as_it_is(prompt):
    async def live():
        upstream = Upstream()
        await upstream.decide(prompt=prompt)
        assert json.loads(upstream.requests[0].content)["input"] == prompt

    asyncio.run(live())


# ---------------------------------------------------------------- failure stages


@pytest.mark.parametrize(
    "status", [301, 302, 307, 400, 401, 402, 403, 404, 408, 413, 422, 429, 500, 502, 503, 504]
)
async def test_a_status_other_than_success_is_told_as_itself(status):
    upstream = Upstream(status=status, headers={"location": "https://elsewhere.test"})
    assert await upstream.stage() == f"http_{status}"
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("status", [200, 201, 206])
async def test_any_success_is_read(status):
    assert (await Upstream(status=status).decide()).model == SONNET


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"<html>", b'{"model": "gemini-3.5-flash"}', b'{"model": 7}'],
    ids=repr,
)
async def test_a_body_that_is_no_answer_is_an_invalid_response(body):
    assert await Upstream(body).stage() == "invalid_response"


async def test_an_answer_may_be_as_long_as_the_bound_and_no_longer():
    whole = SAYS_SONNET.ljust(64 * 1024)
    assert (await Upstream(whole).decide()).model == SONNET
    assert await Upstream(whole + b" ").stage() == "invalid_response"


@pytest.mark.parametrize(
    ("error", "stage"),
    [
        (httpx.ConnectTimeout("canary"), "timeout"),
        (httpx.ReadTimeout("canary"), "timeout"),
        (httpx.WriteTimeout("canary"), "timeout"),
        (httpx.PoolTimeout("canary"), "timeout"),
        (httpx.ConnectError("canary"), "fetch"),
        (httpx.ReadError("canary"), "fetch"),
        (httpx.WriteError("canary"), "fetch"),
        (httpx.RemoteProtocolError("canary"), "fetch"),
        (httpx.UnsupportedProtocol("canary"), "fetch"),
        (httpx.DecodingError("canary"), "invalid_response"),
    ],
    ids=lambda value: getattr(value, "__class__", value).__name__,
)
async def test_what_goes_wrong_on_the_way_is_a_timeout_or_a_fetch(error, stage):
    found = await Upstream(error).failure()
    assert found.failure.stage == stage
    assert "canary" not in "".join(traceback.format_exception(found))


@pytest.mark.parametrize("error", [httpx.ReadTimeout("x"), httpx.ReadError("x")], ids=repr)
async def test_how_long_the_engine_was_waited_for_is_told(error):
    upstream = Upstream(lambda _: (upstream.clock.advance(1.5), error)[1])
    assert (await upstream.failure()).elapsed == 1.5


async def test_an_engine_that_failed_is_asked_again_next_time():
    upstream = Upstream(httpx.ConnectError("x"))
    await upstream.stage()
    upstream.body = SAYS_SONNET
    assert (await upstream.decide()).model == SONNET


# ---------------------------------------------------------------- deadlines


@pytest.mark.parametrize("left", [-1.0, 0.0, 0.0005])
async def test_without_time_for_a_call_none_is_made(left):
    upstream = Upstream()
    found = await upstream.failure(deadline=upstream.clock.now + left)
    assert (found.failure.stage, found.elapsed) == ("deadline", 0.0)
    assert upstream.requests == []


async def test_time_enough_is_time_enough():
    upstream = Upstream()
    assert (await upstream.decide(deadline=upstream.clock.now + 60)).model == SONNET


@pytest.mark.parametrize(
    ("left", "own", "stage"),
    [(0.04, 5.0, "deadline"), (60.0, 0.01, "timeout"), (None, 0.01, "timeout")],
    ids=["the caller's", "its own", "its own without a caller's"],
)
async def test_the_shorter_of_deadline_and_timeout_cuts_a_call_off_and_is_named(left, own, stage):
    upstream = Upstream(timeout=own)

    async def never(request):
        upstream.requests.append(request)
        await asyncio.Event().wait()

    upstream.transport.handler = never
    deadline = None if left is None else upstream.clock.now + left
    assert await upstream.stage(deadline=deadline) == stage
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    ("left", "own", "budget"),
    [
        (None, 5.0, (5.0, False)),
        (60.0, 5.0, (5.0, False)),
        (5.1, 5.0, (5.0, False)),
        (4.99, 5.0, (4.99, True)),
        (1.0, 5.0, (1.0, True)),
        (-1.0, 5.0, (-1.0, True)),
    ],
)
def test_a_call_has_the_shorter_of_two_times(left, own, budget):
    now = 1_000.0
    deadline = None if left is None else now + left
    seconds, cut_off = call_budget(own, deadline=deadline, now=now)
    assert (round(seconds, 9), cut_off) == budget


async def test_a_cancelled_caller_is_cancelled_and_no_timeout():
    upstream = Upstream()

    async def never(_):
        await asyncio.Event().wait()

    upstream.transport.handler = never
    task = asyncio.create_task(upstream.decide())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# ---------------------------------------------------------------- the key


async def test_a_key_that_no_header_can_hold_is_like_none_and_not_told(caplog):
    upstream = Upstream(key=Key("k\u00e9y-canary"))
    assert await upstream.stage() == "unexpected_error"
    assert upstream.requests == []
    assert "ASCII" in caplog.text
    assert "canary" not in caplog.text


async def test_without_a_key_nobody_is_called_and_the_log_says_so(caplog):
    upstream = Upstream(key=Key(SourceUnreadable("key file: empty")))
    assert await upstream.stage() == "unexpected_error"
    assert upstream.requests == []
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "key file: empty" in record.getMessage()


async def test_that_there_is_no_key_is_said_once_a_minute(caplog):
    upstream = Upstream(key=Key(SourceUnreadable("key file: empty")))
    for _ in range(100):
        await upstream.stage()
        upstream.clock.advance(0.5)
    assert len(caplog.records) == 1
    upstream.clock.advance(10)
    await upstream.stage()
    assert len(caplog.records) == 2


async def test_a_rotated_key_is_used_from_the_next_call_on(tmp_path):
    path = tmp_path / "key"
    path.write_text("sk-old")
    upstream = Upstream(key=FileKey(path))
    await upstream.decide()
    path.write_text("sk-newer")
    await upstream.decide()
    sent = [r.headers["authorization"] for r in upstream.requests]
    assert sent == ["Bearer sk-old", "Bearer sk-newer"]


@pytest.mark.parametrize("key", [KEY, f"{KEY}-é", f"{KEY}\nx: y"], ids=["good", "accent", "break"])
@pytest.mark.parametrize("said", [SAYS_SONNET, b"", httpx.ReadError(f"Bearer {KEY}")], ids=repr)
async def test_neither_key_nor_prompt_is_in_any_log_or_error(key, said, caplog):
    caplog.set_level(logging.DEBUG)
    upstream = Upstream(said, key=Key(key))
    asked = query(prompt="canary prompt")  # apart: source lines are in a traceback
    told = ""
    try:
        await ErrorBoundary(upstream.engine, name="morph").decide(asked)
    except EngineFailed as error:
        told = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
    assert "canary" not in told
    assert "canary" not in caplog.text
    assert "canary" not in repr(upstream.engine)
