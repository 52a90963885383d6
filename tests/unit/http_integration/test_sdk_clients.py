"""The HTTP clients for SDKs, without an SDK: `tests/e2e` has them in the real ones."""

from __future__ import annotations

import asyncio
import json
import sys
import types
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from pointsman_client import Reason, RoutingClient, SyncRoutingClient
from pointsman_client.testing import FakeService, Refusal, not_routed, routed
from pointsman_http.model_paths import model_path_of
from pointsman_http.sdk import conversation
from pointsman_http.sdk import routed as routed_sdk

TIER = "kilo-auto/frontier"
MODELS = {"vendor/static": "static-1", "vendor/decided": "decided-1", "vendor/next": "next-1"}
CHAT = {"model": TIER, "messages": [{"role": "user", "content": "Prove it."}]}
URL = "https://provider/v1/chat/completions"


class Provider:
    """Answers as it is told, the last answer again and again."""

    def __init__(self, *answers: int | Exception) -> None:
        self.answers = list(answers or [200])
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer, json={"model": json.loads(request.content)["model"]})

    @property
    def models(self) -> list[str]:
        return [json.loads(each.content)["model"] for each in self.requests]


class Sdk:
    """The parts of an SDK's client that are used; `DefaultHttpxClient` is in its package."""

    def __init__(self, http_client: Any = None) -> None:
        self.http_client = http_client

    def with_options(self, *, http_client: Any) -> Sdk:
        return Sdk(http_client)


@pytest.fixture(autouse=True)
def package(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("made_sdk")
    vars(module).update(DefaultHttpxClient=httpx.Client, DefaultAsyncHttpxClient=httpx.AsyncClient)
    monkeypatch.setitem(sys.modules, "made_sdk", module)
    monkeypatch.setattr(Sdk, "__module__", "made_sdk.client")


Post = Callable[..., Any]


@pytest.fixture
async def fake() -> AsyncIterator[FakeService]:
    async with FakeService() as service:
        yield service


@pytest.fixture(params=["blocking", "async"])
async def post(request: pytest.FixtureRequest, fake: FakeService) -> AsyncIterator[Post]:
    """Post through either client."""
    blocking = SyncRoutingClient(fake.target, decide_timeout=5)
    routing = RoutingClient(fake.target, decide_timeout=5)

    async def posted(provider: Provider, body: Any = CHAT, **settings: Any) -> httpx.Response:
        sent = settings.pop("sent", {})
        settings = {"tiers": {TIER: "vendor/static"}, "models": MODELS} | settings
        settings["transport"] = httpx.MockTransport(provider)
        if request.param == "async":
            async with routed_sdk(Sdk(), routing, **settings).http_client as http:
                return await http.post(URL, json=body, **sent)
        with routed_sdk(Sdk(), blocking, **settings).http_client as client:
            return await asyncio.to_thread(client.post, URL, json=body, **sent)

    yield posted
    await asyncio.to_thread(blocking.close)
    await routing.aclose()


async def test_the_decided_model_is_sent_by_the_endpoint_s_name(
    post: Post, fake: FakeService
) -> None:
    fake.answer(routed("vendor/decided"))
    provider = Provider()
    with conversation(user_id="user-1", session_id="task-1"):
        answer = await post(provider)
    assert provider.models == ["decided-1"]
    assert answer.headers["x-pointsman-model"] == "vendor/decided"
    assert answer.headers["x-pointsman-why"] == "routed"
    asked = fake.calls[0].request
    assert (asked.caller.user_id, asked.caller.session_id) == ("user-1", "task-1")
    assert list(asked.routing.candidate_models) == list(MODELS)
    [sent] = provider.requests
    assert int(sent.headers["content-length"]) == len(sent.content)


async def test_a_concrete_model_passes(post: Post, fake: FakeService) -> None:
    provider = Provider()
    answer = await post(provider, {**CHAT, "model": "static-1"})
    assert (provider.models, fake.calls) == (["static-1"], [])
    assert "x-pointsman-model" not in answer.headers


async def test_a_tier_in_another_request_becomes_the_static_pick(
    post: Post, fake: FakeService
) -> None:
    provider = Provider()
    await post(provider, {"model": TIER, "input": "an embedding"})
    assert (provider.models, fake.calls) == (["static-1"], [])


@pytest.mark.parametrize(
    "first", [429, 503, 529, 408, httpx.ConnectError("x"), httpx.ReadError("x")]
)
async def test_the_next_model_is_tried_after_an_eligible_error(
    post: Post, fake: FakeService, first: int | Exception
) -> None:
    fake.answer(routed("vendor/decided", fallback_models=["vendor/unknown", "vendor/next"]))
    provider = Provider(first, 200)
    answer = await post(provider)
    assert provider.models == ["decided-1", "next-1"]
    assert answer.headers["x-pointsman-model"] == "vendor/next"


async def test_the_last_error_is_the_caller_s(post: Post, fake: FakeService) -> None:
    fake.answer(routed("vendor/decided", fallback_models=["vendor/next"]))
    provider = Provider(503)
    assert (await post(provider)).status_code == 503
    assert provider.models == ["decided-1", "next-1", "static-1"]
    fake.answer(routed("vendor/decided"))
    with pytest.raises(httpx.ConnectError):
        await post(Provider(httpx.ConnectError("x")))


async def test_a_caller_s_mistake_is_tried_once(post: Post, fake: FakeService) -> None:
    fake.answer(routed("vendor/decided", fallback_models=["vendor/next"]))
    provider = Provider(400)
    assert (await post(provider)).status_code == 400
    assert len(provider.models) == 1


async def test_fallback_may_be_off_and_is_off_in_shadow(post: Post, fake: FakeService) -> None:
    fake.answer(routed("vendor/decided", fallback_models=["vendor/next"]))
    provider = Provider(503)
    await post(provider, fallback=False)
    assert provider.models == ["decided-1"]
    fallbacks = ["vendor/next"]
    fake.answer(
        routed(
            "vendor/decided", serve_model="vendor/static", shadow=True, fallback_models=fallbacks
        )
    )
    provider = Provider(503)
    await post(provider)
    assert provider.models == ["static-1"]


@pytest.mark.parametrize(
    "answer",
    [
        Refusal(status="UNAUTHENTICATED", reason="INVALID_CREDENTIALS"),
        not_routed("skipped", reason=Reason.NO_TASK, serve_model="vendor/static"),
        routed("vendor/not-here"),
    ],
    ids=["refused", "skipped", "a model that the endpoint lacks"],
)
async def test_otherwise_the_static_pick_is_sent(
    post: Post, fake: FakeService, answer: Any
) -> None:
    fake.always(answer)
    provider = Provider()
    await post(provider)
    assert provider.models == ["static-1"]


async def test_the_session_of_a_header_counts(post: Post, fake: FakeService) -> None:
    fake.answer(routed("vendor/decided"))
    await post(Provider(), sent={"headers": {"x-session-id": "task-7"}})
    assert fake.calls[0].request.caller.session_id == "task-7"


def test_a_static_pick_must_be_among_the_models() -> None:
    routing = SyncRoutingClient("127.0.0.1:9")
    with pytest.raises(ValueError, match="static picks that models does not name"):
        routed_sdk(Sdk(), routing, tiers={TIER: "vendor/other"}, models=MODELS)
    routing.close()


class AnthropicBedrock(Sdk):
    api_key: str | None = None


class Company(AnthropicBedrock):
    pass


class AzureOpenAI(Sdk):
    base_url = "https://x.openai.azure.com/openai/deployments/one/"


@pytest.mark.parametrize(
    ("client", "said"),
    [
        (Company(), "Company signs each request together with its model"),
        (AnthropicBedrock(), "AnthropicBedrock signs each request together with its model"),
        (AzureOpenAI(), "AzureOpenAI with `azure_deployment` calls that deployment"),
    ],
)
def test_a_client_whose_model_cannot_be_changed_is_refused(client: Sdk, said: str) -> None:
    with SyncRoutingClient("127.0.0.1:9") as routing, pytest.raises(TypeError, match=said):
        routed_sdk(client, routing, tiers={TIER: "vendor/static"})


@pytest.mark.parametrize(
    ("path", "model", "api"),
    [
        ("/openai/deployments/M/chat/completions?api-version=1", "gpt 5/x", None),
        ("/openai/deployments/M/completions", "chat", None),
        ("/openai/deployments/M/embeddings/?api-version=1", "gpt-5.5", None),
        (
            "/v1/projects/p/locations/l/publishers/anthropic/models/M:streamRawPredict",
            "c@1",
            "/v1/messages",
        ),
        ("/model/M/invoke", "anthropic.c-v1:0", "/v1/messages"),
        ("/model/M/invoke-with-response-stream", "kilo-auto/frontier", "/v1/messages"),
    ],
)
@pytest.mark.parametrize("sent", ["kilo-auto%2Ffrontier", "kilo-auto/frontier"])
def test_the_model_of_a_path_is_replaced(path: str, model: str, api: str | None, sent: str) -> None:
    place = model_path_of(path.replace("M", sent, 1))
    assert place is not None
    assert (place.model, place.api) == ("kilo-auto/frontier", api or place.api)
    found = model_path_of(place.with_model(model))
    assert found is not None
    assert (found.before, found.model, found.after) == (place.before, model, place.after)


@pytest.mark.parametrize(
    "path", ["/v1/messages", "/v1/chat/completions", "/openai/responses", "/models/m"]
)
def test_other_paths_name_no_model(path: str) -> None:
    assert model_path_of(path) is None


def test_another_object_is_no_sdk() -> None:
    routing = SyncRoutingClient("127.0.0.1:9")
    with pytest.raises(TypeError, match="no SDK of OpenAI or Anthropic: dict"):
        routed_sdk({}, routing, tiers={TIER: "vendor/static"})
    routing.close()


class Responses:
    """The Responses API, whole, or as a stream that is read when the SDK reads it."""

    def __init__(self, *, streams: bool) -> None:
        self.streams = streams
        self.count = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.count += 1
        body = {"id": f"resp_{self.count}", "object": "response"}
        if not self.streams:
            return httpx.Response(200, json=body)
        text = f"data: {json.dumps({'type': 'response.created', 'response': body})}\n\n"
        return httpx.Response(200, stream=Pieces([text[:30].encode(), text[30:].encode()]))


class Pieces(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = pieces

    def __iter__(self) -> Any:
        yield from self.pieces

    async def __aiter__(self) -> Any:
        for piece in self.pieces:
            yield piece


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("blocking", [False, True])
async def test_turns_that_name_the_response_before_are_one_session(
    fake: FakeService, *, streams: bool, blocking: bool
) -> None:
    fake.always(routed("vendor/decided"))
    settings: Any = {"tiers": {TIER: "vendor/static"}, "models": MODELS}
    settings["transport"] = httpx.MockTransport(Responses(streams=streams))
    turns: list[dict[str, Any]] = [
        {"model": TIER, "input": "Design a cache."},
        {"model": TIER, "input": "Prove it.", "previous_response_id": "resp_1"},
        {"model": TIER, "input": "Write it.", "previous_response_id": "resp_2"},
    ]
    url = "https://provider/v1/responses"
    if blocking:

        def talk() -> None:
            with (
                SyncRoutingClient(fake.target, decide_timeout=5) as routing,
                routed_sdk(Sdk(), routing, **settings).http_client as http,
            ):
                for body in turns:
                    with http.stream("POST", url, json=body) as answer:
                        assert b"resp_" in answer.read()

        await asyncio.to_thread(talk)
    else:
        async with (
            RoutingClient(fake.target, decide_timeout=5) as routing,
            routed_sdk(Sdk(), routing, **settings).http_client as http,
        ):
            for body in turns:
                async with http.stream("POST", url, json=body) as answer:
                    assert b"resp_" in await answer.aread()
    sessions = {call.request.caller.session_id for call in fake.calls}
    assert len(fake.calls) == 3
    assert len(sessions) == 1
    assert all(sessions)
