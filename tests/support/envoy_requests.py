"""Requests as Envoy sends them through a processor, and what a provider would get."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from pointsman_extproc.incoming import Incoming
from pointsman_extproc.metrics import Metrics
from pointsman_extproc.processor import Processor
from pointsman_extproc.wire import external_processor_pb2 as pb

TIER = "kilo-auto/frontier"
PICK = "vendor/static"
DECIDED = "vendor/decided"
CHAT = "/v1/chat/completions"
MOST = 1024 * 1024


class Context:
    """The part of a gRPC context that is used."""

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return ()


class Envoy:
    """Sends requests through one processor and applies its answers."""

    def __init__(self, processor: Processor, metrics: Metrics) -> None:
        self._processor = processor
        self._metrics = metrics

    async def send(
        self, body: bytes | dict[str, Any], path: str = CHAT, *, whole: bool = True, **headers: str
    ) -> Sent:
        """Send one request and return what a provider would get."""
        raw = json.dumps(body).encode() if isinstance(body, dict) else body
        said = {":method": "POST", ":path": path, "content-type": "application/json",
                "content-length": str(len(raw)), "x-user-id": "user-1"}  # fmt: skip
        said |= {name.replace("_", "-"): value for name, value in headers.items()}
        sent = Sent(raw, path, {k: v for k, v in said.items() if v})

        async def messages() -> AsyncIterator[Incoming]:
            values = [pb.HeaderValue(key=k, raw_value=v.encode()) for k, v in sent.headers.items()]
            for message in (
                pb.ProcessingRequest(
                    request_headers=pb.HttpHeaders(headers=pb.HeaderMap(headers=values))
                ),
                pb.ProcessingRequest(request_body=pb.HttpBody(body=raw, end_of_stream=whole)),
            ):
                yield Incoming.from_wire(message.SerializeToString())

        async for answer in self._processor.process(messages(), Context()):
            sent.apply(pb.ProcessingResponse.FromString(answer.SerializeToString()))
        return sent

    def count(self, why: str, *, model_set: bool | None = None) -> float:
        """Return how many requests had this verdict."""
        return sum(
            sample.value
            for metric in self._metrics.registry.collect()
            for sample in metric.samples
            if sample.name.endswith("_total") and sample.labels["why"] == why
            and model_set in (None, sample.labels["model_set"] == "true")
        )  # fmt: skip


class Sent:
    """What goes on to the provider, or the answer to the client."""

    def __init__(self, body: bytes, path: str, headers: dict[str, str]) -> None:
        self.body, self.path, self.headers = body, path, headers
        self.status = 0
        self.mode = 0

    def apply(self, answer: pb.ProcessingResponse) -> None:
        """Change the request as Envoy would."""
        kind = answer.WhichOneof("response")
        if kind == "immediate_response":
            self.status = answer.immediate_response.status.code
            return
        common = getattr(answer, str(kind)).response
        if kind == "request_headers":
            self.mode = answer.mode_override.request_body_mode
        for name in common.header_mutation.remove_headers:
            self.headers.pop(name, None)
        for each in common.header_mutation.set_headers:
            self.headers[each.header.key] = each.header.raw_value.decode()
        self.path = self.headers.get(":path", self.path)
        if common.HasField("body_mutation"):
            self.body = common.body_mutation.body

    @property
    def model(self) -> Any:
        """The model that the provider reads."""
        return json.loads(self.body).get("model")

    def names_tier(self) -> bool:
        """Whether a provider would get the tier."""
        if self.status:
            return False
        return TIER.encode() in self.body.lower() or "frontier" in self.path


def chat(**fields: Any) -> dict[str, Any]:
    return {"model": TIER, "messages": [{"role": "user", "content": "Why?"}], **fields}


BODIES: dict[str, dict[str, Any]] = {
    "chat": chat(),
    "responses": {"model": TIER, "input": "Why?"},
    "messages": chat(max_tokens=16_000),
}
TURNS = [
    (CHAT, "chat"),
    ("/v1/chat/completions/?a=1", "chat"),
    ("/responses", "responses"),
    ("/v1/responses/", "responses"),
    ("/openai/responses", "responses"),
    ("/openai/v1/responses?x=1", "responses"),
    ("/backend-api/codex/responses", "responses"),
    ("/v1/messages?beta=true", "messages"),
    ("/anthropic/v1/messages/", "messages"),
]
SIDES = [
    ("/v1/messages/count_tokens", "messages"),
    ("/v1/messages/count_tokens/?beta=true", "messages"),
    ("/v1/responses/compact", "responses"),
    ("/responses/compact", "responses"),
    ("/v1/responses/input_tokens", "responses"),
]


DEEP = b'{"model":"' + TIER.encode() + b'","x":' + b"[" * 300_000 + b"]" * 300_000 + b"}"
UNREADABLE = {
    "two models": b'{"model": "kilo-auto/frontier", "model": "x", "messages": []}',
    "the tier second": b'{"model": "x", "model": "KILO-AUTO/Frontier"}',
    "an escaped name": rb'{"mod\u0065l": "kilo-auto/frontier", "model": "x"}',
    "an escaped value": rb'{"model": "kilo-auto\/frontier", "model": "x"}',
    "cut off": b'{"model": "kilo-auto/frontier", "messages": [{"role": "us',
    "trailing text": b'{"model": "kilo-auto/frontier"} x',
    "a byte order mark": b'\xef\xbb\xbf{"model": "kilo-auto/frontier"}',
    "no UTF-8": b'{"model": "kilo-auto/frontier", "x": "\xff"}',
    "UTF-16": json.dumps(chat()).encode("utf-16"),
    "UTF-16 without a mark": json.dumps(chat()).encode("utf-16-be"),
    "a list": b'[{"model": "kilo-auto/frontier"}]',
    "too deep": DEEP,
    "no messages": b'{"model": "kilo-auto/frontier"}',
    "messages of another type": b'{"model": "kilo-auto/frontier", "messages": {}}',
    "blanks around it": b'{"model": "\\t Kilo-Auto/Frontier ", "messages": 7}',
    "many members": b'{"model": "a"}' * 2_000 + b'{"model": "kilo-auto/frontier"}',
}
