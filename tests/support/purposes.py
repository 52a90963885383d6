"""Purposes of a served policy file, and calls of `ResolveRoute`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from pointsman.v1 import resolve_route_pb2 as pb
from pointsman.v1 import route_decision_pb2

from support.served import FRONTIER, Peer, policy_text

LLM: dict[str, Any] = {
    "provider": "openai",
    "model": "gpt-5.4",
    "endpoint": "https://api.openai.com",
    "api_key": "${OPENAI_API_KEY}",
    "temperature": 0.2,
    "profiles": {
        "cheap": {"model": "gpt-4o-mini"},
        "reasoning": {
            "provider": "anthropic",
            "model": "claude-opus-4-6",
            "endpoint": "https://api.anthropic.com",
            "api_key": "${CLAUDE_API_KEY}",
        },
    },
    "purposes": ["review"],
    "routes": {
        "plan_create": "reasoning",
        "addressing": {"profile": "cheap", "fallback_profiles": ["default"]},
        "main_loop": {
            "candidates": [
                {"profile": "default", "weight": 3},
                {"profile": "cheap", "weight": 1},
            ],
            "fallback_profiles": ["reasoning"],
        },
        "review": {"tier": "kilo-auto/frontier", "fallback_profiles": ["cheap"]},
    },
}


def policy(**sections: Any) -> str:
    return policy_text(**{"llm": LLM, "flags": {"decision_log_sample_rate": 1}, **sections})


def ask(purpose: str, run_id: str = "r-1", **fields: Any) -> pb.ResolveRouteRequest:
    return pb.ResolveRouteRequest(purpose=purpose, run_id=run_id, **fields)


def tiered(run_id: str = "r-1", **fields: Any) -> pb.ResolveRouteRequest:
    return ask(
        "review",
        run_id,
        prompt=route_decision_pb2.Prompt(user_prompt_prefix="Prove that p^2 groups are abelian."),
        caller=route_decision_pb2.Caller(user_id="user-1", session_id="session-1"),
        candidate_models=FRONTIER,
        **fields,
    )


async def resolve(peer: Peer, request: pb.ResolveRouteRequest) -> pb.ResolveRouteResponse:
    answer: pb.ResolveRouteResponse = await peer.stub.ResolveRoute(request, timeout=10)
    return answer


async def until(holds: Callable[[], object]) -> None:
    while not holds():  # noqa: ASYNC110 - the watcher has its own pace
        await asyncio.sleep(0.01)


async def refusal(peer: Peer, request: pb.ResolveRouteRequest) -> tuple[grpc.StatusCode, str, Any]:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await resolve(peer, request)
    found = {}
    for packed in rpc_status.from_call(refused.value).details:
        for kind in (error_details_pb2.ErrorInfo, error_details_pb2.BadRequest):
            if packed.Is(kind.DESCRIPTOR):
                found[kind] = kind()
                packed.Unpack(found[kind])
    bad = found.get(error_details_pb2.BadRequest)
    fields = {v.field for v in bad.field_violations} if bad else set()
    return refused.value.code(), found[error_details_pb2.ErrorInfo].reason, fields
