"""Load from h2load (nghttp2): prebuilt gRPC frames over one HTTP/2 connection a client."""

from __future__ import annotations

import re
import shutil
import statistics
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pointsman.v1 import route_decision_pb2 as pb

PATH = "/pointsman.v1.RoutingService/RouteDecision"
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
    """What one burst of load saw; durations in microseconds."""

    requests: int
    per_second: float
    p50: float
    p99: float


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


def run(
    port: int, *, requests: int, in_flight: int, core: int | None = None, wire: bytes | None = None
) -> Load:
    """Send `requests` with `in_flight` at once over one connection; every one must be answered."""
    body = wire or request().SerializeToString()
    with tempfile.TemporaryDirectory() as folder:
        frame, log = Path(folder) / "frame", Path(folder) / "log"
        frame.write_bytes(b"\0" + len(body).to_bytes(4, "big") + body)
        pinned = ["taskset", "-c", str(core)] if core is not None else []
        command = [
            *pinned, "h2load", "-n", str(requests), "-c", "1", "-m", str(in_flight),
            "-d", str(frame), "-H", "content-type: application/grpc", "-H", "te: trailers",
            f"--log-file={log}", f"http://127.0.0.1:{port}{PATH}",
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found = re.search(r"finished in [\d.]+\w+, ([\d.]+) req/s", done.stdout)
        if found is None or f" {requests} succeeded" not in done.stdout:
            raise RuntimeError(done.stdout)
        taken = [int(line.split("\t")[2]) for line in log.read_text().splitlines()]
    cuts = statistics.quantiles(taken, n=100)
    return Load(requests, float(found[1]), cuts[49], cuts[98])


def available() -> bool:
    """Whether the load generator is installed (Debian: `nghttp2-client`)."""
    return shutil.which("h2load") is not None
