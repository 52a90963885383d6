"""A real server on a real socket, built by the product's own composition root."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import yaml
from pointsman.v1 import route_decision_pb2 as pb
from pointsman.v1 import routing_service_pb2_grpc
from pointsman_server.bootstrap.serve import Serving, serving
from pointsman_server.bootstrap.system import SystemResources
from pointsman_server.settings import Settings

FRONTIER = (
    "anthropic/claude-opus-4.8",
    "anthropic/claude-sonnet-4.6",
    "openai/gpt-5.5",
    "google/gemini-3.1-pro-preview",
)
CATALOG = {
    "anthropic/claude-opus-4.8": {"router_id": "claude-opus-4-8"},
    "anthropic/claude-sonnet-4.6": {"router_id": "claude-sonnet-4-6"},
    "anthropic/claude-haiku-4.5": {"router_id": "claude-haiku-4-5-20251001"},
    "openai/gpt-5.5": {"router_id": "gpt-5.5"},
    "google/gemini-3.1-pro-preview": {"router_id": "gemini-3.1-pro-preview"},
    "google/gemini-3.5-flash": {"router_id": "gemini-3.5-flash"},
}
TIERS = {
    "kilo-auto/frontier": {"policy": "capability_heavy"},
    "kilo-auto/balanced": {"policy": "balanced"},
}
LISTEN = dict.fromkeys(("listen", "admin_listen", "http_listen", "metrics_listen"), "127.0.0.1:0")


class HandClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now + 1_760_000_000

    def advance(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Peer:
    """A running server and a stub that talks to it."""

    running: Serving
    channel: grpc.aio.Channel
    stub: Any
    log_file: Path
    stop: Callable[[], Awaitable[None]]
    """Ends the server, gracefully; the channel stays open."""

    async def decide(self, request: pb.RouteDecisionRequest, **call: Any) -> Any:
        return await self.stub.RouteDecision(request, timeout=call.pop("timeout", 10), **call)


def policy_text(**sections: Any) -> str:
    """A policy file: four frontier models and engine local, or what `sections` say."""
    document: dict[str, Any] = {
        "mode": "shadow",
        "tiers": TIERS,
        "catalog": CATALOG,
        "engines": {"order": ["local"]},
    }
    return yaml.safe_dump(document | sections, sort_keys=False)


def request(prompt: str = "Please guard this accessor against null.", **fields: Any) -> Any:
    """A frontier request, with `fields` merged into the message."""
    message = pb.RouteDecisionRequest(
        prompt=pb.Prompt(
            user_prompt_prefix=prompt,
            system_prompt_prefix="You are a coding agent.",
            api_kind=pb.API_KIND_CHAT_COMPLETIONS,
            message_count=1,
            has_tools=True,
        ),
        caller=pb.Caller(user_id="user-1", session_id="task-123", machine_id="machine-1"),
        routing=pb.RoutingContext(
            auto_model="kilo-auto/frontier",
            candidate_models=FRONTIER,
            resolved_model="anthropic/claude-opus-4.8",
        ),
    )
    message.MergeFrom(pb.RouteDecisionRequest(**fields))
    return message


@dataclass
class Starter:
    """Starts servers that end with the test."""

    folder: Path
    stack: contextlib.AsyncExitStack
    started: int = field(default=0)

    async def __call__(
        self,
        *,
        policy: str | None = None,
        environment: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> Peer:
        self.started += 1
        log_file = self.folder / f"decisions-{self.started}.jsonl"
        document = yaml.safe_load(policy or policy_text())
        document.setdefault("decision_log", {"stdout": False, "file": str(log_file)})
        path = self.folder / f"policy-{self.started}.yaml"
        path.write_text(yaml.safe_dump(document, sort_keys=False))
        ambient = settings.pop("ambient", None) or SystemResources(environment=environment or {})
        server = await self.stack.enter_async_context(contextlib.AsyncExitStack())
        running = await server.enter_async_context(
            serving(
                Settings(
                    policy_file=path,
                    hash_key="hash-key-of-tests",
                    **(LISTEN | settings),
                ),
                ambient=ambient,
            )
        )
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{running.port}")
        self.stack.push_async_callback(channel.close)
        stub: Callable[..., Any] = routing_service_pb2_grpc.RoutingServiceStub
        return Peer(running, channel, stub(channel), log_file, server.aclose)
