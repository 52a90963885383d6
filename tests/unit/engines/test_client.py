"""The client of remote engines: what `httpx.AsyncClient` sends, and what it does not."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from pointsman_server.core.engine_rules import MorphRules
from pointsman_server.engines.remote.client import build_client, client_over
from support.builders import SONNET, query
from support.remote import morph_engine

BODY = b'{"model": "claude-sonnet-4-6"}'
HEAD = b"HTTP/1.1 200 OK\r\nset-cookie: a=b; path=/\r\ncontent-length: %d\r\n\r\n" % len(BODY)


async def test_an_httpx_async_client_sends_every_request_of_morph(monkeypatch):
    sent = []
    send = httpx.AsyncClient.send

    async def counted(client, request, **given):
        sent.append(request.method)
        return await send(client, request, **given)

    monkeypatch.setattr(httpx.AsyncClient, "send", counted)
    answers = httpx.MockTransport(lambda _: httpx.Response(200, stream=httpx.ByteStream(BODY)))
    engine = morph_engine(client_over(answers))
    for _ in range(3):
        assert (await engine.decide(query())).model == SONNET
    assert sent == ["POST"] * 3


class Server:
    """Answers every request with `BODY` and a cookie."""

    def __init__(self):
        self.heads = []

    async def serve(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                self.heads.append(head)
                length = int(head.split("content-length: ")[1].split("\r\n")[0])
                self.body = await reader.readexactly(length)
                writer.write(HEAD + BODY)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has closed
        finally:
            writer.close()


async def test_cookies_are_neither_kept_nor_sent():
    server = Server()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    rules = MorphRules(url=f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}")
    async with listening, build_client(rules) as client:
        engine = morph_engine(client, rules=rules)
        for _ in range(2):
            await engine.decide(query())
        assert list(client.cookies.jar) == []
    assert not any("cookie" in head for head in server.heads)


async def test_an_engine_may_listen_on_a_unix_domain_socket(tmp_path):
    server = Server()
    path = tmp_path / "engine.sock"
    listening = await asyncio.start_unix_server(server.serve, path)
    rules = MorphRules(url=f"unix:{path}")
    async with listening, build_client(rules) as client:
        engine = morph_engine(client, rules=rules)
        for _ in range(2):
            assert (await engine.decide(query(prompt="Hi"))).model == SONNET
    assert json.loads(server.body)["input"] == "Hi"
    assert server.heads[0].startswith("post /v1/router/multimodel http/1.1\r\n")
    assert "host: localhost\r\n" in server.heads[0]


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY", "NETRC"])
async def test_the_environment_changes_nothing(variable, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("default login canary password canary\n")
    monkeypatch.setenv(variable, str(netrc) if variable == "NETRC" else "http://127.0.0.1:1")
    server = Server()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    rules = MorphRules(url=f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}")
    async with listening, build_client(rules) as client:
        assert (await morph_engine(client, rules=rules).decide(query())).model == SONNET
    assert "authorization: bearer sk\r\n" in server.heads[0]
