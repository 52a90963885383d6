"""The ASGI middleware before a plain ASGI application."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from pointsman_client import RoutingClient
from pointsman_client.testing import FOREVER, FakeService, Refusal, routed
from pointsman_http.asgi import RoutingMiddleware

TIER = "kilo-auto/frontier"
PICK, DECIDED = "vendor/static", "vendor/decided"
CANARY = "canary-of-the-prompt"
CHAT = {"model": TIER, "messages": [{"role": "user", "content": f"Prove {CANARY}."}]}


@dataclass
class App:
    """Keeps what arrives, answers in pieces."""

    scopes: list[dict[str, Any]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    events: list[str] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for step in ("startup", "shutdown"):
                assert (await receive())["type"] == f"lifespan.{step}"
                self.events.append(step)
                await send({"type": f"lifespan.{step}.complete"})
            return
        self.scopes.append(scope)
        parts = []
        while True:
            message = await receive()
            if message["type"] != "http.request":
                self.events.append(message["type"])
                return
            parts.append(message["body"])
            if not message.get("more_body"):
                break
        self.bodies.append(b"".join(parts))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for piece in (b"data: 1\n\n", b"data: 2\n\n"):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    @property
    def document(self) -> Any:
        return json.loads(self.bodies[-1])

    @property
    def headers(self) -> dict[str, str]:
        return {k.decode(): v.decode() for k, v in self.scopes[-1]["headers"]}


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
async def fake() -> AsyncIterator[FakeService]:
    async with FakeService() as service:
        yield service


@pytest.fixture
async def routing(fake: FakeService) -> AsyncIterator[RoutingClient]:
    async with RoutingClient(fake.target, decide_timeout=5) as client:
        yield client


def gateway(app: App, routing: RoutingClient, **settings: Any) -> httpx.AsyncClient:
    settings = {"tiers": {TIER: PICK}, "serves": True} | settings
    middleware: Any = RoutingMiddleware(app, routing=routing, **settings)
    transport = httpx.ASGITransport(app=middleware)
    return httpx.AsyncClient(transport=transport, base_url="http://gateway")


async def post(http: httpx.AsyncClient, body: Any = CHAT, **more: Any) -> httpx.Response:
    path = more.pop("path", "/v1/chat/completions")
    return await http.post(path, json=body, **more)


async def test_a_tier_becomes_the_decided_model(
    app: App, fake: FakeService, routing: RoutingClient
) -> None:
    fake.answer(routed(DECIDED))
    headers = {"x-session-id": "task-1", "x-user-id": "user-1", "x-pointsman-model": "spoofed"}
    answer = await post(gateway(app, routing, candidates={TIER: [DECIDED, PICK]}), headers=headers)

    assert answer.content == b"data: 1\n\ndata: 2\n\n"
    assert app.document == {**CHAT, "model": DECIDED}
    assert int(app.headers["content-length"]) == len(app.bodies[-1])
    assert app.headers["x-pointsman-model"] == DECIDED
    assert (app.headers["x-pointsman-tier"], app.headers["x-pointsman-why"]) == (TIER, "routed")
    assert app.scopes[-1]["state"]["pointsman"].result.decision.model == DECIDED
    asked = fake.calls[0].request
    assert (asked.caller.user_id, asked.caller.session_id) == ("user-1", "task-1")
    assert list(asked.routing.candidate_models) == [DECIDED, PICK]
    assert asked.routing.resolved_model == PICK
    assert CANARY in asked.prompt.user_prompt_prefix


async def test_the_rest_of_the_body_keeps_its_bytes(
    app: App, fake: FakeService, routing: RoutingClient
) -> None:
    fake.answer(routed(DECIDED))
    message = rb'{"role":"user","content":"\u00e9 \"model\": \"x\""}'
    raw = b'{ "model" :"%s", "n":1.50, "messages":[' + message + b"]}"
    json_type = {"content-type": "application/json"}
    await gateway(app, routing).post(
        "/v1/chat/completions", content=raw % TIER.encode(), headers=json_type
    )
    assert app.bodies[-1] == raw % DECIDED.encode()


async def test_two_members_of_that_name_are_told_apart(
    app: App, fake: FakeService, routing: RoutingClient
) -> None:
    fake.answer(routed(DECIDED))
    body = {"metadata": {"model": TIER}, **CHAT}
    await post(gateway(app, routing), body)
    assert app.document == {**body, "model": DECIDED}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/messages", {**CHAT, "max_tokens": 100}),
        ("/api/v1/responses", {"model": TIER, "input": f"Prove {CANARY}."}),
        ("/openai/v1/chat/completions/", CHAT),
    ],
)
async def test_each_api_is_read(
    app: App, fake: FakeService, routing: RoutingClient, path: str, body: Any
) -> None:
    fake.answer(routed(DECIDED))
    await post(gateway(app, routing), body, path=path)
    assert app.document["model"] == DECIDED
    assert CANARY in fake.calls[0].request.prompt.user_prompt_prefix


@pytest.mark.parametrize(
    ("body", "more"),
    [
        ({**CHAT, "model": "vendor/concrete"}, {}),
        (CHAT, {"path": "/v1/embeddings"}),
        (CHAT, {"headers": {"content-encoding": "gzip"}}),
        (CHAT, {"headers": {"content-type": "text/plain"}}),
        ([CHAT], {}),
        ({**CHAT, "filler": "x" * 5_000}, {}),
    ],
    ids=["a model", "another API", "compressed", "no JSON", "a list", "too long"],
)
async def test_other_requests_pass_unread(
    app: App, fake: FakeService, routing: RoutingClient, body: Any, more: dict[str, Any]
) -> None:
    await post(gateway(app, routing, most_bytes=4_096), body, **more)
    assert app.document == body
    assert not fake.calls
    assert "pointsman" not in app.scopes[-1].get("state", {})


async def test_a_long_body_of_unknown_length_is_handed_on_as_it_comes(
    app: App, routing: RoutingClient
) -> None:
    pieces = [b"x" * 1_000] * 10
    arrived: list[int] = []

    async def content() -> AsyncIterator[bytes]:
        for piece in pieces:
            arrived.append(len(app.scopes))
            yield piece

    headers = {"content-type": "application/json"}
    http = gateway(app, routing, most_bytes=4_096)
    await http.post("/v1/chat/completions", content=content(), headers=headers)
    assert app.bodies == [b"".join(pieces)]
    assert arrived[4:6] == [0, 1]  # held up to the bound, and no further


async def test_a_body_that_cannot_be_read_gets_the_static_pick(
    app: App, fake: FakeService, routing: RoutingClient
) -> None:
    await post(gateway(app, routing), {"model": TIER.upper(), "messages": "none"})
    assert app.document["model"] == PICK
    assert app.headers["x-pointsman-why"] == "unreadable"
    assert not fake.calls


@pytest.mark.parametrize("failure", ["refuses", "hangs", "is gone"])
async def test_the_static_pick_serves_where_the_service_does_not(
    app: App, fake: FakeService, failure: str
) -> None:
    if failure != "is gone":
        refusal = Refusal(status="RESOURCE_EXHAUSTED", reason="OVERLOADED")
        fake.always(
            routed(DECIDED) if failure == "hangs" else refusal,
            delay=FOREVER if failure == "hangs" else 0,
        )
    target = "127.0.0.1:9" if failure == "is gone" else fake.target
    async with RoutingClient(target, decide_timeout=0.2) as routing:
        await post(gateway(app, routing))
    assert app.document["model"] == PICK
    assert app.headers["x-pointsman-why"].startswith("fallback:")


async def test_in_shadow_the_request_stays_and_waits_for_nobody(
    app: App, fake: FakeService, routing: RoutingClient
) -> None:
    fake.answer(routed(DECIDED), delay=0.5)
    await post(gateway(app, routing, serves=False))
    assert app.document == CHAT
    assert app.headers["x-pointsman-why"] == "mirrored"
    assert "x-pointsman-model" not in app.headers
    await fake.asked(1)


async def test_a_count_of_tokens_is_for_the_model_of_its_conversation(
    app: App, fake: FakeService, routing: RoutingClient
) -> None:
    fake.answer(routed(DECIDED))
    http = gateway(app, routing)
    headers = {"x-session-id": "task-1"}
    await post(http, path="/v1/messages", headers=headers)
    await post(http, path="/v1/messages/count_tokens", headers=headers)
    assert app.document["model"] == DECIDED
    assert app.headers["x-pointsman-why"] == "side"
    assert len(fake.calls) == 1
    fake.answer(routed(DECIDED))
    await post(http, path="/v1/messages/count_tokens", headers={"x-session-id": "task-2"})
    assert fake.calls[1].request.dry_run


async def test_the_service_hears_of_a_model_that_it_did_not_choose(
    app: App, fake: FakeService, routing: RoutingClient
) -> None:
    fake.answer(Refusal(status="INTERNAL", reason="INTERNAL"))
    fake.answer(routed(DECIDED))
    fake.answer(routed(DECIDED))
    http = gateway(app, routing)
    for _ in range(3):
        await post(http, headers={"x-session-id": "task-1"})
    incumbents = [call.request.routing.incumbent_model for call in fake.calls]
    assert incumbents == ["", PICK, ""]


async def test_a_fault_in_here_fails_no_request(
    app: App, routing: RoutingClient, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    async def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError(CANARY)

    monkeypatch.setattr(routing, "decide", broken)
    await post(gateway(app, routing))
    assert app.document == CHAT
    [line] = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert "RuntimeError" in line.getMessage()
    assert CANARY not in caplog.text


async def test_a_client_that_leaves_is_the_application_s_to_see(
    app: App, routing: RoutingClient
) -> None:
    middleware = RoutingMiddleware(app, routing=routing, tiers={TIER: PICK}, serves=True)
    messages = [
        {"type": "http.request", "body": b"{", "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(_: Any) -> None:
        raise AssertionError

    scope = {"type": "http", "method": "POST", "path": "/v1/messages", "headers": []}
    await middleware(scope, receive, send)
    assert app.events == ["http.disconnect"]


async def test_the_client_is_closed_with_the_application(app: App, fake: FakeService) -> None:
    routing = RoutingClient(fake.target)
    fake.answer(routed(DECIDED))
    middleware = RoutingMiddleware(app, routing=routing, tiers={TIER: PICK}, serves=True)
    incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    sent: asyncio.Queue[Any] = asyncio.Queue()
    life = asyncio.create_task(middleware({"type": "lifespan"}, incoming.get, sent.put))
    incoming.put_nowait({"type": "lifespan.startup"})
    assert (await sent.get())["type"] == "lifespan.startup.complete"
    assert (await routing.decide("Hi", user_id="u", tier=TIER)).why == "routed"
    incoming.put_nowait({"type": "lifespan.shutdown"})
    assert (await sent.get())["type"] == "lifespan.shutdown.complete"
    await life
    assert (await routing.decide("Hi", user_id="u", tier=TIER)).why == "fallback:closed"


def test_a_static_pick_is_no_tier(app: App) -> None:
    routing = RoutingClient("127.0.0.1:9")
    with pytest.raises(ValueError, match="is a tier itself"):
        RoutingMiddleware(app, routing=routing, tiers={TIER: TIER.upper()})
    with pytest.raises(ValueError, match="not in tiers"):
        RoutingMiddleware(app, routing=routing, tiers={TIER: PICK}, candidates={"other": [PICK]})


RESPONSES = {"model": TIER, "input": "Design a cache."}


def whole(response_id: str) -> list[bytes]:
    text = json.dumps({"id": response_id, "object": "response", "output": [{"id": "msg_1"}]})
    return [text[:5].encode(), text[5:].encode()]


def streamed(response_id: str) -> list[bytes]:
    created = {"type": "response.created", "response": {"id": response_id, "model": "m"}}
    text = f"event: response.created\ndata: {json.dumps(created)}\n\n"
    return [text[:60].encode(), text[60:].encode(), b'data: {"id": "msg_1"}\n\n']


class Provider(App):
    """Answers with these pieces, request by request."""

    def __init__(
        self, answers: list[list[bytes]], *, status: int = 200, encoding: str = ""
    ) -> None:
        super().__init__()
        self.answers = answers
        self.status = status
        self.encoding = encoding

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.bodies.append((await receive())["body"])
        headers = [(b"Content-Encoding", self.encoding.encode())] if self.encoding else []
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        for piece in self.answers[len(self.bodies) - 1]:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def sessions_of(fake: FakeService, http: httpx.AsyncClient, previous: list[Any]) -> list[str]:
    """The sessions of turns, each of which names an earlier response."""
    fake.always(routed(DECIDED))
    for number, named in enumerate(previous):
        words = {"input": f"Then step {number}."} if named else {}
        more = {"previous_response_id": named} if named else {}
        await post(http, {**RESPONSES, **words, **more}, path="/v1/responses")
    return [call.request.caller.session_id for call in fake.calls]


@pytest.mark.parametrize("form", [whole, streamed])
async def test_turns_that_name_the_response_before_are_one_session(
    fake: FakeService, routing: RoutingClient, form: Any
) -> None:
    provider = Provider([form(f"resp_{n}") for n in range(4)])
    http = gateway(provider, routing)
    found = await sessions_of(fake, http, [None, "resp_0", "resp_1", "resp_9"])
    assert found[0] == found[1] == found[2] != found[3] == "resp_9"
    assert all(CANARY not in str(session) for session in found)


async def test_in_shadow_the_turns_are_one_session_too(
    fake: FakeService, routing: RoutingClient
) -> None:
    http = gateway(Provider([whole(f"resp_{n}") for n in range(2)]), routing, serves=False)
    await sessions_of(fake, http, [None, "resp_0"])
    await fake.asked(2)
    assert len({call.request.caller.session_id for call in fake.calls}) == 1


@pytest.mark.parametrize("settings", [{"status": 500}, {"encoding": "x-packed"}], ids=str)
async def test_of_a_failure_and_of_a_compressed_response_no_id_is_read(
    fake: FakeService, routing: RoutingClient, settings: Any
) -> None:
    provider = Provider([whole("resp_0"), whole("resp_1")], **settings)
    found = await sessions_of(fake, gateway(provider, routing), [None, "resp_0"])
    assert found[0] != found[1] == "resp_0"


async def response_through(routing: RoutingClient, headers: Any) -> list[Any]:
    """The messages of a response whose headers the application gives like this."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert (scope["type"], (await receive())["type"]) == ("http", "http.request")
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{}"})

    body = json.dumps(RESPONSES).encode()
    incoming = [{"type": "http.request", "body": body}]
    sent: list[Any] = []

    async def receive() -> Any:
        return incoming.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/v1/responses", "headers": []}
    middleware: Any = RoutingMiddleware(app, routing=routing, tiers={TIER: PICK}, serves=True)
    await middleware(scope, receive, send)
    return sent


async def test_headers_that_can_be_read_once_arrive(
    fake: FakeService, routing: RoutingClient
) -> None:
    fake.answer(routed(DECIDED))
    pairs = [(b"set-cookie", b"s=1"), (b"x-a", b"b")]
    [start, _] = await response_through(routing, (each for each in pairs))
    assert list(start["headers"]) == pairs


async def test_a_response_that_cannot_be_read_passes(
    fake: FakeService, routing: RoutingClient, caplog: pytest.LogCaptureFixture
) -> None:
    fake.answer(routed(DECIDED))
    [start, body] = await response_through(routing, [("no bytes", None, CANARY)])
    assert (start["headers"], body["body"]) == ([("no bytes", None, CANARY)], b"{}")
    assert "ValueError" in caplog.text
    assert CANARY not in caplog.text
