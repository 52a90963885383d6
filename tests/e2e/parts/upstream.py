"""A scripted OpenAI-compatible provider: keeps what arrives, streams when it is told to."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from support.ports import free_port

_PATIENCE = 60.0
DONE = "data: [DONE]\n\n"


@dataclass(frozen=True)
class Arrival:
    """One request; header names in lower case."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        """The body as JSON."""
        document: dict[str, Any] = json.loads(self.body)
        return document


@dataclass
class Upstream:
    """A running provider."""

    url: str
    """The base that an OpenAI client would be given: `http://host:port/v1`."""
    arrivals: list[Arrival] = field(default_factory=list)
    more: threading.Event = field(default_factory=threading.Event)
    """A stream sends its first event, then waits for this before it sends the others."""
    status: int = 200

    @property
    def latest(self) -> Arrival:
        """The newest request."""
        return self.arrivals[-1]


def stream_events(model: str) -> list[str]:
    """The server-sent events of a streamed answer."""
    words = ("Hello", " there", " ☕")
    return [*(_event(model, word) for word in words), DONE]


def _event(model: str, word: str) -> str:
    choice = {"index": 0, "delta": {"content": word}}
    chunk = {"object": "chat.completion.chunk", "model": model, "choices": [choice]}
    return f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n"


@contextlib.contextmanager
def scripted_upstream() -> Iterator[Upstream]:
    """Answer `POST /v1/chat/completions` inside the block."""
    port = free_port()
    upstream = Upstream(f"http://127.0.0.1:{port}/v1")
    server = _Server(("127.0.0.1", port), _Answering)
    server.upstream = upstream
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield upstream
    finally:
        upstream.more.set()
        server.shutdown()
        thread.join(_PATIENCE)
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    upstream: Upstream


class _Answering(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        arrival = Arrival(
            path=self.path,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self._body(),
        )
        self.server.upstream.arrivals.append(arrival)
        try:
            asked = arrival.document
        except ValueError:  # not for us to read, compressed for instance
            asked = {}
        if asked.get("stream"):
            self._stream(stream_events(asked["model"]))
        else:
            self._whole(asked.get("model", ""))

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _whole(self, model: str) -> None:
        message = {"role": "assistant", "content": "Hello there ☕"}
        document = {"object": "chat.completion", "model": model,
                    "choices": [{"index": 0, "message": message}]}  # fmt: skip
        body = json.dumps(document).encode()
        self.send_response(self.server.upstream.status)
        self.send_header("content-type", "application/json")
        self.send_header("x-upstream", "scripted")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, events: list[str]) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for number, event in enumerate(events):
            if number == 1:
                self.server.upstream.more.wait(_PATIENCE)
            self._chunk(event.encode())
        self._chunk(b"")

    def _chunk(self, chunk: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        self.wfile.flush()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
