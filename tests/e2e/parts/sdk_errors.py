"""Raise real errors from providers' own clients against a scripted server, and classify them.

Runs where those clients are installed and the server's packages are not. Prints one JSON object:
for each case, the error's class and its kind.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import sys
import threading
import urllib.request
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import aiohttp
import anthropic
import botocore.session
import grpc
import openai
import requests
from botocore.config import Config
from google import genai
from pointsman_client.error_kinds import kind_of

DEAD = "http://127.0.0.1:9"
MESSAGES: Any = [{"role": "user", "content": "x"}]
SECONDS = 5.0


class Script(BaseHTTPRequestHandler):
    """Answers every POST and GET as `mode` says."""

    protocol_version = "HTTP/1.1"
    mode = ""

    def log_message(self, *_: object) -> None:
        """Stay silent."""

    def do_POST(self) -> None:
        """Answer."""
        self.rfile.read(int(self.headers.get("content-length") or 0))
        kind, _, argument = self.mode.partition(":")
        getattr(self, f"_{kind}")(argument)

    do_GET = do_POST  # noqa: N815  # the base class finds it by this name

    def _events(self, data: str) -> None:
        body = "".join(f"{line}\n" for line in data.split("|")) + "\n"
        self._send(200, body, "text/event-stream")

    def _status(self, status: str) -> None:
        error = {"message": "x", "code": int(status), "status": "UNAVAILABLE"}
        self._send(int(status), json.dumps({"error": error}))

    def _aws(self, code: str) -> None:
        self._send(429 if "Throttling" in code else 503, '{"message":"x"}', errortype=code)

    def _page(self, _: str) -> None:
        self._send(200, "<html>", "text/html")

    def _short(self, _: str) -> None:
        self._send(200, '{"a":', length=500)
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)

    def _reset(self, _: str) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.shutdown(socket.SHUT_RDWR)

    def _send(
        self,
        status: int,
        body: str,
        kind: str = "application/json",
        *,
        length: int | None = None,
        errortype: str = "",
    ) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(length or len(body)))
        if errortype:
            self.send_header("x-amzn-errortype", errortype)
        self.end_headers()
        self.wfile.write(body.encode())


@contextmanager
def scripted() -> Iterator[str]:
    """The scripted server's base URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Script)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


Case = tuple[str, str, Callable[[], object]]

OVERLOADED = (
    'event: error|data: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
)
BUSY = 'data: {"error":{"message":"x","type":"service_unavailable_error","code":"CODE"}}'


def openai_cases(base: str) -> Iterator[Case]:
    """OpenAI's client: streams that began with 200, statuses, connections."""

    def client(url: str) -> openai.OpenAI:
        return openai.OpenAI(base_url=url, api_key="x", max_retries=0, timeout=SECONDS)

    def streamed() -> object:
        return list(client(f"{base}/v1").chat.completions.create(
            model="m", messages=MESSAGES, stream=True
        ))  # fmt: skip

    def whole(url: str) -> Callable[[], object]:
        return lambda: client(url).chat.completions.create(model="m", messages=MESSAGES)

    for code in ("server_is_overloaded", "rate_limit_exceeded", "server_error"):
        yield f"openai stream {code}", f"events:{BUSY.replace('CODE', code)}", streamed
    for status in (429, 503, 400):
        yield f"openai {status}", f"status:{status}", streamed
    yield "openai reset", "reset", streamed
    yield "openai short", "short", whole(f"{base}/v1")
    yield "openai refused", "", whole(f"{DEAD}/v1")
    yield "openai tls", "", whole(base.replace("http:", "https:"))


def anthropic_cases(base: str) -> Iterator[Case]:
    """Anthropic's client."""
    client = anthropic.Anthropic(base_url=base, api_key="x", max_retries=0, timeout=SECONDS)

    def streamed() -> object:
        return list(client.messages.create(
            model="m", max_tokens=5, messages=MESSAGES, stream=True
        ))  # fmt: skip

    yield "anthropic stream overloaded", f"events:{OVERLOADED}", streamed
    for status in (429, 529, 400):
        yield f"anthropic {status}", f"status:{status}", streamed
    yield "anthropic reset", "reset", streamed


def botocore_cases(base: str) -> Iterator[Case]:
    """AWS Bedrock through botocore."""
    session = botocore.session.get_session()
    session.set_credentials("a", "b")
    config = Config(retries={"max_attempts": 0}, read_timeout=SECONDS)

    def converse(url: str) -> Callable[[], object]:
        client = session.create_client(
            "bedrock-runtime", region_name="us-east-1", endpoint_url=url, config=config
        )
        message = {"role": "user", "content": [{"text": "x"}]}
        return lambda: client.converse(modelId="m", messages=[message])

    for code in ("ThrottlingException", "ServiceUnavailableException"):
        yield f"botocore {code}", f"aws:{code}", converse(base)
    yield "botocore reset", "reset", converse(base)
    yield "botocore refused", "", converse(DEAD)


def google_cases(base: str) -> Iterator[Case]:
    """Gemini through google-genai."""
    client = genai.Client(api_key="x", http_options={"base_url": base})
    error = 'data: {"error":{"code":503,"message":"x","status":"UNAVAILABLE"}}'

    def whole() -> object:
        return client.models.generate_content(model="m", contents="x")

    def streamed() -> object:
        return list(client.models.generate_content_stream(model="m", contents="x"))

    yield "google-genai 503", "status:503", whole
    yield "google-genai stream", f"events:{error}", streamed
    yield "google-genai reset", "reset", whole
    yield "google-genai page", "page", whole


def http_cases(base: str) -> Iterator[Case]:
    """requests, aiohttp and urllib."""
    yield "requests short", "short", lambda: requests.post(base, timeout=SECONDS).content
    yield "requests reset", "reset", lambda: requests.post(base, timeout=SECONDS)
    yield "requests refused", "", lambda: requests.get(DEAD, timeout=SECONDS)
    yield "requests page", "page", lambda: requests.post(base, timeout=SECONDS).json()
    yield "requests tls", "", lambda: requests.get(f"https{base[4:]}", timeout=SECONDS)

    async def post(url: str) -> object:
        timeout = aiohttp.ClientTimeout(SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session, session.post(url) as answer:
            answer.raise_for_status()
            return await answer.json()

    def run(making: Callable[[], Coroutine[Any, Any, object]]) -> Callable[[], object]:
        return lambda: asyncio.run(making())

    yield "aiohttp short", "short", run(lambda: post(base))
    yield "aiohttp 503", "status:503", run(lambda: post(base))
    yield "aiohttp page", "page", run(lambda: post(base))
    yield "aiohttp reset", "reset", run(lambda: post(base))
    yield "aiohttp refused", "", run(lambda: post(DEAD))

    def fetch(url: str) -> Callable[[], object]:
        return lambda: urllib.request.urlopen(url, timeout=SECONDS).read()

    yield "urllib 503", "status:503", fetch(base)
    yield "urllib short", "short", fetch(base)
    yield "urllib refused", "", fetch(DEAD)


def grpc_cases(_: str) -> Iterator[Case]:
    """grpcio, blocking and async."""

    def unavailable() -> object:
        with grpc.insecure_channel("127.0.0.1:9") as channel:
            return channel.unary_unary("/a/b")(b"", timeout=SECONDS)

    def late() -> object:
        with grpc.insecure_channel("127.0.0.1:9") as channel:
            return channel.unary_unary("/a/b")(b"", timeout=0.1, wait_for_ready=True)

    async def asynchronous() -> object:
        async with grpc.aio.insecure_channel("127.0.0.1:9") as channel:
            return await channel.unary_unary("/a/b")(b"", timeout=SECONDS)

    yield "grpc unavailable", "", unavailable
    yield "grpc deadline", "", late
    yield "grpc.aio unavailable", "", lambda: asyncio.run(asynchronous())


SUITES = (openai_cases, anthropic_cases, botocore_cases, google_cases, http_cases, grpc_cases)


def main() -> None:
    """Run every case."""
    found: dict[str, list[str | None]] = {}
    with scripted() as base:
        for suite in SUITES:
            for name, mode, make in suite(base):
                Script.mode = mode
                try:
                    make()
                except Exception as error:  # noqa: BLE001  (the cases are errors)
                    found[name] = [type(error).__name__, kind_of(error)]
                else:
                    found[name] = ["no error", None]
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
