"""Run the SDKs of OpenAI and Anthropic, and a FastAPI gateway, against a real Pointsman.

Runs where those packages are installed and the server's are not: arguments are the address of
Pointsman, and the repository's root. Prints one JSON object: for each case, the models that the
scripted provider was asked for, the answer's text, and the headers that the client added.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import uvicorn
from anthropic import (
    Anthropic,
    AnthropicBedrock,
    AnthropicFoundry,
    AnthropicVertex,
    AsyncAnthropic,
    AsyncAnthropicVertex,
)
from openai import AsyncAzureOpenAI, AsyncOpenAI, AzureOpenAI, OpenAI
from pointsman_client import Attempt, RoutingClient, SyncRoutingClient
from pointsman_http.sdk import conversation, routed

TIER = "kilo-auto/frontier"
PICK = "anthropic/claude-opus-4.8"
TIERS = {TIER: PICK}
MESSAGES: Any = [{"role": "user", "content": "What is the capital of Portugal?"}]
SECONDS = 30.0
MODEL_IN_PATH = re.compile(
    r"/(?:deployments|models?)/(?!count-tokens)([^/:]+|[^/]+(?=/invoke))[:/]"
)
"""As Azure OpenAI, Vertex AI and Bedrock have it."""
PIECES = ("Hel", "lo")


class Provider(BaseHTTPRequestHandler):
    """Both APIs, whole and streamed. `failures` are the statuses of the next answers."""

    protocol_version = "HTTP/1.1"
    models: list[str] = []  # noqa: RUF012  # one provider, for one thread of cases
    failures: list[int] = []  # noqa: RUF012
    hold = threading.Event()
    """A stream sends its first event, and waits for this before it sends the others."""

    def log_message(self, *_: object) -> None:
        """Stay silent."""

    def do_GET(self) -> None:
        """List models."""
        self._json(200, {"object": "list", "data": [{"id": "m", "object": "model"}]})

    def do_POST(self) -> None:
        """Answer."""
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        in_path = MODEL_IN_PATH.search(self.path)
        if in_path is not None:  # a body that names another one would be a mistake
            named = urllib.parse.unquote(in_path[1])
            asked["model"] = named if asked.get("model", named) == named else "two models"
        Provider.models.append(asked["model"])
        if Provider.failures:
            return self._json(Provider.failures.pop(0), {"error": {"message": "busy"}})
        messages = self.path.partition("?")[0].endswith(("/messages", "rawPredict", "RawPredict",
                                                         "/invoke"))  # fmt: skip
        if asked.get("stream"):
            return self._events(list((_anthropic_events if messages else _openai_events)(asked)))
        if self.path.endswith(("/count_tokens", "count-tokens:rawPredict")):
            return self._json(200, {"input_tokens": 7})
        if self.path.partition("?")[0].endswith("/responses"):
            return self._json(200, _response(asked["model"]))
        return self._json(200, _message(asked) if messages else _completion(asked))

    def _json(self, status: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _events(self, events: list[str]) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        for number, event in enumerate(events):
            if number == 1:
                Provider.hold.wait(SECONDS)
            self.wfile.write(event.encode())
            self.wfile.flush()
        self.close_connection = True


def _completion(asked: Any) -> object:
    choice = {"index": 0, "finish_reason": "stop",
              "message": {"role": "assistant", "content": "Hello"}}  # fmt: skip
    return {"id": "c", "object": "chat.completion", "created": 1, "model": asked["model"],
            "choices": [choice]}  # fmt: skip


def _response(model: str) -> object:
    part = {"type": "output_text", "text": "Hello", "annotations": []}
    item = {"type": "message", "id": "m", "role": "assistant", "status": "completed",
            "content": [part]}  # fmt: skip
    return {"id": "resp_1", "object": "response", "created_at": 1, "model": model,
            "output": [item], "status": "completed", "parallel_tool_calls": True,
            "tool_choice": "auto", "tools": []}  # fmt: skip


def _message(asked: Any) -> dict[str, Any]:
    return {"id": "m", "type": "message", "role": "assistant", "model": asked["model"],
            "content": [{"type": "text", "text": "Hello"}], "stop_reason": "end_turn",
            "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1}}  # fmt: skip


def _openai_events(asked: Any) -> Iterator[str]:
    for piece in PIECES:
        chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1,
                 "model": asked["model"],
                 "choices": [{"index": 0, "delta": {"content": piece}}]}  # fmt: skip
        yield f"data: {json.dumps(chunk)}\n\n"
    yield "data: [DONE]\n\n"


def _anthropic_events(asked: Any) -> Iterator[str]:
    start = {**_message(asked), "content": [], "stop_reason": None}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": 0,
           "delta": {"type": "text_delta", "text": piece}} for piece in PIECES),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None},
         "usage": {"output_tokens": 1}},
        {"type": "message_stop"},
    ]  # fmt: skip
    for event in events:
        yield f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"


@contextmanager
def provider() -> Iterator[str]:
    """The scripted provider's base URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


FOUND: dict[str, dict[str, Any]] = {}


def case(name: str, ask: Callable[[], Any], *failures: int) -> None:
    """Run one case: `ask` answers a text, or a text and headers."""
    Provider.models, Provider.failures = [], list(failures)
    Provider.hold.set()
    try:
        with conversation(user_id="user-1", session_id=f"session-{name}"):
            answer = ask()
        text, headers = answer if isinstance(answer, tuple) else (answer, {})
    except Exception as error:  # noqa: BLE001  # a case's error is its result
        text, headers = type(error).__name__, {}
    said = {key: value for key, value in headers.items() if key.startswith("x-pointsman")}
    FOUND[name] = {"models": Provider.models, "text": text, "headers": said}


def openai_cases(client: OpenAI) -> None:
    """OpenAI's SDK, blocking."""
    ask: dict[str, Any] = {"model": TIER, "messages": MESSAGES}
    chat = client.chat.completions

    def raw() -> Any:
        answer = chat.with_raw_response.create(**ask)
        return answer.parse().choices[0].message.content, answer.headers

    def streamed() -> Any:
        return "".join(each.choices[0].delta.content for each in chat.create(**ask, stream=True))

    def first_piece() -> Any:
        Provider.hold.clear()
        stream = iter(chat.create(**ask, stream=True))
        first = next(stream).choices[0].delta.content
        Provider.hold.set()
        return "|".join([first, *(each.choices[0].delta.content for each in stream)])

    case("openai chat", lambda: chat.create(**ask).choices[0].message.content)
    case("openai raw response", raw)
    case("openai stream", streamed)
    case("openai stream comes in pieces", first_piece)
    case(
        "openai responses", lambda: client.responses.create(model=TIER, input=MESSAGES).output_text
    )
    case("openai options", lambda: client.with_options(timeout=9).chat.completions.create(**ask)
         .choices[0].message.content)  # fmt: skip
    case("openai a concrete model", lambda: chat.create(**{**ask, "model": "m"}).model)
    case("openai models", lambda: client.models.list().data[0].id)
    case("openai fallback", lambda: chat.create(**ask).choices[0].message.content, 429)
    case("openai stream fallback", streamed, 503)
    case("openai refusal", lambda: chat.create(**ask), 400)


def anthropic_cases(client: Anthropic) -> None:
    """Anthropic's SDK, blocking."""
    ask: dict[str, Any] = {"model": TIER, "messages": MESSAGES, "max_tokens": 900}

    def raw() -> Any:
        answer = client.messages.with_raw_response.create(**ask)
        return answer.parse().content[0].text, answer.headers

    def streamed() -> Any:
        with client.messages.stream(**ask) as stream:
            return "".join(stream.text_stream)

    def counted() -> Any:
        client.messages.create(**ask)
        return client.messages.count_tokens(model=TIER, messages=MESSAGES).input_tokens

    case("anthropic messages", lambda: client.messages.create(**ask).content[0].text)
    case("anthropic raw response", raw)
    case("anthropic stream", streamed)
    case("anthropic beta", lambda: client.beta.messages.create(**ask).content[0].text)
    case("anthropic count tokens", counted)
    case("anthropic fallback", lambda: client.messages.create(**ask).content[0].text, 529)


async def async_cases(base: str, target: str) -> None:
    """Both SDKs, async."""
    ask: dict[str, Any] = {"model": TIER, "messages": MESSAGES}
    loop = asyncio.get_running_loop()
    async with RoutingClient(target, decide_timeout=SECONDS) as routing:
        settings: dict[str, Any] = {"api_key": "x", "max_retries": 0}
        openai = routed(AsyncOpenAI(base_url=f"{base}/v1", **settings), routing, tiers=TIERS)
        anthropic = routed(AsyncAnthropic(base_url=base, **settings), routing, tiers=TIERS)

        async def chat() -> Any:
            return (await openai.chat.completions.create(**ask)).choices[0].message.content

        async def chat_stream() -> Any:
            stream = await openai.chat.completions.create(**ask, stream=True)
            return "".join([each.choices[0].delta.content async for each in stream])

        async def messages() -> Any:
            return (await anthropic.messages.create(**ask, max_tokens=900)).content[0].text

        async def message_stream() -> Any:
            async with anthropic.messages.stream(**ask, max_tokens=900) as stream:
                return "".join([each async for each in stream.text_stream])

        async def by_purpose() -> Any:
            async def call(attempt: Attempt) -> str:
                found = await openai.with_options(base_url=f"{base}/v1").chat.completions.create(
                    model=attempt.model, messages=MESSAGES
                )
                return str(found.choices[0].message.content)

            return await routing.run_with_fallback("main_loop", "run-1", call)

        async def ran(name: str, ask: Callable[[], Awaitable[Any]], *failures: int) -> None:
            def blocking() -> Any:
                return asyncio.run_coroutine_threadsafe(in_context(ask, name), loop).result(SECONDS)

            await asyncio.to_thread(case, name, blocking, *failures)

        async def in_context(ask: Callable[[], Awaitable[Any]], name: str) -> Any:
            with conversation(user_id="user-1", session_id=f"session-{name}"):
                return await ask()

        await ran("async openai chat", chat)
        await ran("async openai stream", chat_stream)
        await ran("async openai fallback", chat_stream, 503)
        await ran("async anthropic messages", messages)
        await ran("async anthropic stream", message_stream)
        await ran("async anthropic fallback", messages, 529)
        await ran("async purpose", by_purpose, 429)


@contextmanager
def gateway(root: Path, base: str, target: str) -> Iterator[str]:
    """The example gateway under uvicorn; its base URL."""
    os.environ |= {"PROVIDER": f"{base}/v1", "POINTSMAN": target}
    spec = importlib.util.spec_from_file_location("gateway", root / "examples/asgi/gateway.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["gateway"] = module
    spec.loader.exec_module(module)
    server = uvicorn.Server(uvicorn.Config(module.app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(SECONDS)
        FOUND["gateway ends"] = {"models": [], "text": str(not thread.is_alive()), "headers": {}}


def gateway_cases(root: Path, base: str, target: str) -> None:
    """An SDK as it comes, before the example gateway."""
    ask: dict[str, Any] = {"model": TIER, "messages": MESSAGES}
    with gateway(root, base, target) as url:
        chat = OpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0).chat.completions

        def first_piece() -> Any:
            Provider.hold.clear()
            stream = iter(chat.create(**ask, stream=True))
            first = next(stream).choices[0].delta.content
            Provider.hold.set()
            return "|".join([first, *(each.choices[0].delta.content for each in stream)])

        case("gateway chat", lambda: chat.create(**ask).choices[0].message.content)
        case("gateway stream comes in pieces", first_piece)
        case("gateway a concrete model", lambda: chat.create(**{**ask, "model": "m"}).model)

        def unknown() -> Any:
            with urllib.request.urlopen(f"{url}/openapi.json") as answer:
                return json.load(answer)["info"]["title"]

        case("gateway other paths", unknown)


def example_case(root: Path, base: str, target: str) -> None:
    """The example program, as it stands."""

    def ran() -> str:
        return subprocess.run(
            [sys.executable, "-S", "-P", root / "examples/sdks/chat.py"],
            env=os.environ | {"OPENAI_BASE_URL": f"{base}/v1", "OPENAI_API_KEY": "x",
                              "POINTSMAN": target},
            capture_output=True, text=True, check=True, timeout=60,
        ).stdout  # fmt: skip

    case("example", ran)


def platform_cases(base: str, routing: SyncRoutingClient, target: str) -> None:
    """Clients of platforms; their models are in the path, but for Foundry's."""
    ask: dict[str, Any] = {"model": TIER, "messages": MESSAGES}
    azure_settings: dict[str, Any] = {
        "azure_endpoint": base, "api_key": "x", "api_version": "2025-04-01-preview",
        "max_retries": 0,
    }  # fmt: skip
    vertex_settings: dict[str, Any] = {
        "region": "global", "project_id": "p", "access_token": "x", "base_url": f"{base}/v1",
        "max_retries": 0,
    }  # fmt: skip
    azure = routed(AzureOpenAI(**azure_settings), routing, tiers=TIERS)
    chat = azure.chat.completions
    case("azure chat", lambda: chat.create(**ask).choices[0].message.content)
    case("azure stream", lambda: "".join(
        each.choices[0].delta.content for each in chat.create(**ask, stream=True)))  # fmt: skip
    case("azure fallback", lambda: chat.create(**ask).choices[0].message.content, 429)
    case("azure responses", lambda: azure.responses.create(model=TIER, input=MESSAGES).output_text)
    case("azure a concrete model", lambda: chat.create(**{**ask, "model": "m"}).model)
    case("azure one deployment", lambda: routed(
        AzureOpenAI(**azure_settings, azure_deployment="d"), routing, tiers=TIERS))  # fmt: skip

    def streamed(client: Any) -> Any:
        with client.messages.stream(**ask, max_tokens=900) as stream:
            return "".join(stream.text_stream)

    def counted(client: Any) -> Any:
        client.messages.create(**ask, max_tokens=900)
        return client.messages.count_tokens(model=TIER, messages=MESSAGES).input_tokens

    clients = {
        "vertex": AnthropicVertex(**vertex_settings),
        "foundry": AnthropicFoundry(api_key="x", base_url=base, max_retries=0),
        "bedrock": AnthropicBedrock(
            api_key="x", aws_region="eu-west-1", base_url=base, max_retries=0
        ),
    }
    for name, each in clients.items():
        client = routed(each, routing, tiers=TIERS)

        def create(client: Any = client) -> Any:
            return client.messages.create(**ask, max_tokens=900).content[0].text

        case(f"{name} messages", create)
        case(f"{name} fallback", create, 529)
        if name != "bedrock":  # its stream is not of server-sent events, and it counts no tokens
            case(f"{name} stream", lambda client=client: streamed(client))
            case(f"{name} count tokens", lambda client=client: counted(client))
    signing = AnthropicBedrock(
        aws_access_key="x", aws_secret_key="x", aws_region="eu-west-1", base_url=base
    )
    case("bedrock signs", lambda: routed(signing, routing, tiers=TIERS))
    asyncio.run(async_platform_cases(azure_settings, vertex_settings, target))


async def async_platform_cases(
    azure_settings: dict[str, Any], vertex_settings: dict[str, Any], target: str
) -> None:
    """The async forms."""
    async with RoutingClient(target, decide_timeout=SECONDS) as routing:
        azure = routed(AsyncAzureOpenAI(**azure_settings), routing, tiers=TIERS)
        vertex = routed(AsyncAnthropicVertex(**vertex_settings), routing, tiers=TIERS)
        ask: dict[str, Any] = {"model": TIER, "messages": MESSAGES}
        Provider.models, Provider.failures = [], []
        chat = await azure.chat.completions.create(**ask)
        text, models = chat.choices[0].message.content, Provider.models
        FOUND["async azure chat"] = {"models": models, "text": text, "headers": {}}
        Provider.models = []
        message = await vertex.messages.create(**ask, max_tokens=900)
        text, models = message.content[0].text, Provider.models
        FOUND["async vertex messages"] = {"models": models, "text": text, "headers": {}}


def main(target: str, root: Path) -> None:
    """Run all cases."""
    with provider() as base, SyncRoutingClient(target, decide_timeout=SECONDS) as routing:
        settings: dict[str, Any] = {"api_key": "x", "max_retries": 0}
        openai_cases(routed(OpenAI(base_url=f"{base}/v1", **settings), routing, tiers=TIERS))
        anthropic_cases(routed(Anthropic(base_url=base, **settings), routing, tiers=TIERS))
        asyncio.run(async_cases(base, target))
        platform_cases(base, routing, target)
        gateway_cases(root, base, target)
        example_case(root, base, target)
        with SyncRoutingClient("127.0.0.1:9") as nobody:
            alone = routed(OpenAI(base_url=f"{base}/v1", api_key="x"), nobody, tiers=TIERS)
            ask = {"model": TIER, "messages": MESSAGES}
            case("nobody decides", lambda: alone.chat.completions.create(**ask).model)
    print(json.dumps(FOUND))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
