"""All that a server can send where Morph should answer: a candidate, or a stage that is known."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import httpx
from pointsman_server.core.engine_rules import MorphRules
from pointsman_server.core.errors import EngineFailed
from pointsman_server.engines.remote.client import build_client
from support.builders import query
from support.remote import morph_engine

from fuzz.targets.target import Reader, Target

STAGE = re.compile(r"fetch|invalid_response|http_[1-5][0-9]{2}")
"""Not `timeout`: the server sends what it sends at once, and closes."""

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"


class Sender:
    """Sends the same bytes to everybody who asks, and closes."""

    def __init__(self) -> None:
        self.sent = b""

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            writer.write(self.sent)
            await writer.drain()
        writer.close()


@contextmanager
def opened() -> Iterator[Reader]:
    """An engine over real sockets, with a server that plays the input."""
    sender = Sender()
    asked = query()
    with ExitStack() as stack:
        runner = stack.enter_context(asyncio.Runner())
        server = runner.run(asyncio.start_server(sender.talk, "127.0.0.1", 0))
        stack.callback(server.close)
        port = server.sockets[0].getsockname()[1]
        rules = MorphRules(url=f"http://127.0.0.1:{port}")
        client = runner.run(_client(rules))
        stack.callback(lambda: runner.run(client.aclose()))
        engine = morph_engine(client, rules=rules)

        def read(data: bytes) -> None:
            sender.sent = data
            try:
                answer = runner.run(engine.decide(asked))
            except EngineFailed as failed:
                assert STAGE.fullmatch(failed.failure.stage), failed.failure.stage
                return
            assert answer.model in {candidate.public_id for candidate in asked.candidates}
            shares = (answer.confidence, answer.ambiguity_confidence, answer.domain_confidence)
            assert all(share is None or 0 <= share <= 1 for share in shares)

        yield read


async def _client(rules: MorphRules) -> httpx.AsyncClient:
    return build_client(rules)  # inside a running loop


def seeds() -> Iterator[bytes]:
    for body in (
        b'{"model": "claude-sonnet-4-6", "confidence": 0.9, "ambiguity_confidence": 1e-3}',
        b'{"model": "gpt-5.5", "difficulty": "hard", "ambiguity": "low", "domain": "coding"}',
        b'{"model": "nobody"}',
        b'[{"model": "gpt-5.5"}]',
        b'{"model": "gpt-5.5", "confidence": 1e999, "domain_confidence": -0.0}',
        b"null",
        b"",
    ):
        yield HEAD % len(body) + body
    yield b"HTTP/1.1 429 Too Many\r\nretry-after: 3\r\ncontent-length: 0\r\n\r\n"
    yield b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\n\r\n"
    yield b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD % 2 + b"{}"
    yield b"HTTP/1.0 200 OK\r\n\r\n" + b'{"model": "gpt-5.5"}'
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n"
    yield chunked + b'\r\n14\r\n{"model": "gpt-5.5"}\r\n0\r\n\r\n'
    yield chunked + b"content-encoding: gzip\r\n\r\n4\r\n\x1f\x8b\x08\x00\r\n"


TARGET = Target(opened=opened, seeds=seeds, mutations=100)
