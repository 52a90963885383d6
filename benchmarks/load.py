"""Load from h2load (nghttp2): prebuilt gRPC frames over one HTTP/2 connection a client.

A stream is a request whose body holds many frames: h2load sends them as flow control lets it,
closes its half and reads the answers. It does not wait for answers: the server
determines the number in flight.
"""

from __future__ import annotations

import re
import resource
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc
from google.protobuf.message import Message
from pointsman.v1 import batch_route_decisions_pb2 as batch_pb
from pointsman.v1 import route_decision_pb2 as pb
from pointsman.v1 import stream_route_decisions_pb2 as stream_pb

FRAMING = 5
"""Bytes before each message of gRPC."""

SERVICE = "/pointsman.v1.RoutingService"
PROMPT = (
    "Please guard this accessor against null before the cache is filled from the database. " * 9
)
CANDIDATES = (
    "anthropic/claude-opus-4.8",
    "anthropic/claude-sonnet-4.6",
    "openai/gpt-5.5",
    "google/gemini-3.1-pro-preview",
)


@dataclass(frozen=True)
class Load:
    """Results of one burst of load; durations in microseconds."""

    requests: int
    per_second: float
    p50: float
    p99: float
    seconds: float
    """From the first request to the last answer."""
    spent: float
    """Processor time of the generator itself, its start included, in seconds."""


def request(session: str = "session-1") -> pb.RouteDecisionRequest:
    """A request like a gateway's: 1.2 KB."""
    return pb.RouteDecisionRequest(
        prompt=pb.Prompt(
            user_prompt_prefix=PROMPT,
            system_prompt_prefix="You are a coding agent. " * 10,
            api_kind=pb.API_KIND_CHAT_COMPLETIONS,
            message_count=5,
            has_tools=True,
            stream=True,
        ),
        caller=pb.Caller(user_id="user-1", session_id=session, machine_id="machine-1"),
        routing=pb.RoutingContext(
            auto_model="kilo-auto/frontier",
            candidate_models=CANDIDATES,
            resolved_model="anthropic/claude-opus-4.8",
        ),
        requested_model="kilo-auto/frontier",
        body_bytes=12_345,
    )


@dataclass(frozen=True)
class Body:
    """The request of each call of a burst, and the expected answer."""

    path: str
    frames: bytes
    decisions: int = 1
    answer_bytes: int | None = None
    """The size of the answers to one call, including framing; `None`: not checked."""
    headers: Sequence[str] = ("content-type: application/grpc", "te: trailers")
    http1: bool = False


def call(message: pb.RouteDecisionRequest | None = None) -> Body:
    """`RouteDecision`, one decision."""
    return Body(f"{SERVICE}/RouteDecision", frame(message or request()))


def stream(port: int, *, decisions: int) -> Body:
    """`StreamRouteDecisions`: a client that asks for this many and closes its half."""
    items = [
        stream_pb.StreamRouteDecisionsRequest(correlation_id=f"{number:06d}", request=request())
        for number in range(decisions)
    ]
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        ask = channel.stream_stream(
            f"{SERVICE}/StreamRouteDecisions",
            request_serializer=stream_pb.StreamRouteDecisionsRequest.SerializeToString,
        )
        list(ask(iter(items[:1])))  # cached from here on
        [answer] = ask(iter(items[:1]))
    frames = b"".join(map(frame, items))
    return Body(
        f"{SERVICE}/StreamRouteDecisions", frames, decisions, decisions * (len(answer) + FRAMING)
    )


def batch(*, decisions: int) -> Body:
    """`BatchRouteDecisions`."""
    message = batch_pb.BatchRouteDecisionsRequest(requests=[request()] * decisions)
    return Body(f"{SERVICE}/BatchRouteDecisions", frame(message), decisions)


def frame(message: Message) -> bytes:
    """The message behind gRPC's prefix: not compressed, its length."""
    body = message.SerializeToString()
    return b"\0" + len(body).to_bytes(4, "big") + body


def run(
    port: int,
    *,
    requests: int,
    in_flight: int,
    core: int | None = None,
    body: Body | None = None,
    clients: int = 1,
    per_second: int | None = None,
) -> Load:
    """Send `requests` with `in_flight` at once over each of `clients` connections.

    With `per_second` a client sends that many and no more, whether the last was answered or not.
    Every one must be answered. `per_second` counts decisions, latencies are of calls.
    """
    body = body or call()
    paced = [f"--rps={per_second}"] if per_second else []
    with tempfile.TemporaryDirectory() as folder:
        data, log = Path(folder) / "data", Path(folder) / "log"
        data.write_bytes(body.frames)
        pinned = ["taskset", "-c", str(core)] if core is not None else []
        command = [
            *pinned, "h2load", "-n", str(requests), "-c", str(clients), "-m", str(in_flight),
            *paced, "-d", str(data), *(part for each in body.headers for part in ("-H", each)),
            *(["--h1"] if body.http1 else []), f"--log-file={log}",
            f"http://127.0.0.1:{port}{body.path}",
        ]  # fmt: skip
        before = _spent()
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        spent = _spent() - before
        found = re.search(r"finished in [\d.]+\w+, ([\d.]+) req/s", done.stdout)
        came = re.search(r"\((\d+)\) data", done.stdout)
        if found is None or came is None or f" {requests} succeeded" not in done.stdout:
            raise RuntimeError(done.stdout)
        if body.answer_bytes is not None and int(came[1]) != requests * body.answer_bytes:
            raise RuntimeError(f"{came[1]} bytes came, not {requests} x {body.answer_bytes}")
        taken = [int(line.split("\t")[2]) for line in log.read_text().splitlines()]
    cuts = statistics.quantiles(taken, n=100)
    rate = float(found[1])
    return Load(requests, rate * body.decisions, cuts[49], cuts[98], requests / rate, spent)


def _spent() -> float:
    """Processor time of the children that ended; none but the generator ends during a burst."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime


def available() -> bool:
    """Whether the load generator is installed (Debian: `nghttp2-client`)."""
    return shutil.which("h2load") is not None
