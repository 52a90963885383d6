"""An external processor that listens, and a test in Envoy's place."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from pointsman_client import RoutingClient
from pointsman_client.testing import FakeService
from pointsman_extproc.choosing import Chooser
from pointsman_extproc.listen import Listen
from pointsman_extproc.metrics import Metrics
from pointsman_extproc.processor import Processor
from pointsman_extproc.server import SERVICE, listening
from pointsman_extproc.settings import Settings
from pointsman_extproc.wire import external_processor_pb2 as pb
from prometheus_client import generate_latest

TIER = "kilo-auto/frontier"
PICK = "vendor/static"
CANARY = "canary-of-the-prompt"
BODY = json.dumps(
    {"model": TIER, "user": "u-of-body", "messages": [{"role": "user", "content": CANARY}]}
).encode()
USUAL = {":method": "POST", ":path": "/v1/chat/completions", "content-type": "application/json"}


@dataclass
class Running:
    """A listening processor, and a connection to it."""

    fake: FakeService
    metrics: Metrics
    channel: grpc.aio.Channel

    def open(self, requests: Iterable[pb.ProcessingRequest] | None = None) -> Any:
        """A stream, as Envoy opens it."""
        process = self.channel.stream_stream(
            f"/{SERVICE}/Process",
            request_serializer=pb.ProcessingRequest.SerializeToString,
            response_deserializer=pb.ProcessingResponse.FromString,
        )
        return process(requests)

    async def ask(self, *requests: pb.ProcessingRequest) -> list[pb.ProcessingResponse]:
        """One stream; each message waits for the answer to the one before."""
        call = self.open()
        answers = []
        for request in requests:
            await call.write(request)
            answer = await call.read()
            if answer is grpc.aio.EOF:
                break
            answers.append(answer)
        else:
            # The processor is the one that ends a stream whose request is settled.
            assert not answers or await call.read() is grpc.aio.EOF
        assert await call.code() is grpc.StatusCode.OK
        return answers

    async def post(
        self, body: bytes = BODY, *, announced: bool = True, whole: bool = True, **headers: str
    ) -> list[pb.ProcessingResponse]:
        """One request as Envoy sends it."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        length = {"content-length": str(len(body))} if announced else {}
        return await self.ask(head_of(USUAL | length | named), body_of(body, end=whole))

    def figures(self) -> str:
        return generate_latest(self.metrics.registry).decode()

    def counted(self, why: str, *, model_set: str, times: int | None = 1) -> bool:
        labels = f'{{model_set="{model_set}",why="{why}"}}'
        line = f"pointsman_ext_proc_requests_total{labels} " + (f"{times}.0\n" if times else "")
        return line in self.figures()


def head_of(headers: dict[str, str], *, end: bool = False) -> pb.ProcessingRequest:
    values = [pb.HeaderValue(key=key, raw_value=value.encode()) for key, value in headers.items()]
    fields = pb.HttpHeaders(headers=pb.HeaderMap(headers=values), end_of_stream=end)
    return pb.ProcessingRequest(request_headers=fields)


def body_of(body: bytes, *, end: bool = True) -> pb.ProcessingRequest:
    return pb.ProcessingRequest(request_body=pb.HttpBody(body=body, end_of_stream=end))


@asynccontextmanager
async def processing(
    fake: FakeService, *, chooser: Any = None, patience: float = 30.0, **settings: Any
) -> AsyncIterator[Running]:
    fields: dict[str, Any] = {"tiers": {TIER: PICK}, "serves": True, **settings}
    chosen, metrics = Settings(**fields), Metrics()
    async with RoutingClient(fake.target, decide_timeout=patience, retries=0) as client:
        processor = Processor(
            chooser or Chooser(client, settings=chosen), settings=chosen, metrics=metrics
        )
        listen = Listen(address="127.0.0.1:0")
        async with (
            listening(processor, listen=listen, most_bytes=chosen.most_bytes, grace=5) as address,
            grpc.aio.insecure_channel(address) as channel,
        ):
            yield Running(fake, metrics, channel)


def passed(answer: pb.ProcessingResponse) -> bool:
    return answer == pb.ProcessingResponse(request_body=pb.BodyResponse())
