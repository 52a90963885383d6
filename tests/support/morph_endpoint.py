"""The Morph-compatible endpoint over real sockets, before a small engine that always agrees."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
from pointsman_server.core.model import (
    CatalogModel,
    Classification,
    EngineAnswer,
    EngineQuery,
    Head,
    Source,
)
from pointsman_server.fault_injection import FaultScript

KEY = "test-key-5c1d"
ROUTE = "/v1/router/multimodel"
CLASSIFY = "/v1/router/classify"
PROMPT = "Rewrite the parser canary-93be"
CATALOG = {
    "claude-opus-4-8": CatalogModel(
        public_id="anthropic/claude-opus-4.8", router_id="claude-opus-4-8"
    ),
    "gpt-5.5": CatalogModel(public_id="openai/gpt-5.5", router_id="gpt-5.5"),
    "gemini-3.5-flash": CatalogModel(
        public_id="google/gemini-3.5-flash", router_id="gemini-3.5-flash"
    ),
}
LABELS = Classification(
    difficulty=Head(label="medium", confidence=0.75, meets_threshold=True),
    ambiguity=Head(label="low", confidence=0.9, meets_threshold=True),
    domain=Head(label="coding", confidence=0.5, meets_threshold=False),
)


@dataclass
class FakeEngine:
    """Always picks the last candidate, unless a test says otherwise."""

    queries: list[EngineQuery] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)
    before: Callable[[], Awaitable[None]] | None = None
    router_model: str | None = None
    labels: Classification = LABELS

    async def decide(self, query: EngineQuery) -> EngineAnswer:
        self.queries.append(query)
        if self.before is not None:
            await self.before()
        pick = query.candidates[-1]
        return EngineAnswer(
            source=Source.LOCAL,
            model=pick.public_id,
            router_model=self.router_model or pick.router_id or "",
            difficulty="hard",
            confidence=0.8,
            ambiguity="low",
            domain="coding",
            domain_confidence=0.625,
        )

    async def classify(self, prompt: str) -> Classification:
        self.prompts.append(prompt)
        if self.before is not None:
            await self.before()
        return self.labels


@dataclass
class Endpoint:
    """A running endpoint and a client with its key."""

    engine: FakeEngine
    client: httpx.AsyncClient
    port: int
    script: FaultScript | None

    async def route(self, **fields: Any) -> httpx.Response:
        return await self.client.post(ROUTE, json={"input": PROMPT, **fields})

    async def script_faults(self, *steps: dict[str, Any]) -> None:
        answer = await self.client.post("/testing/faults", json=steps)
        assert answer.json() == {"steps_left": len(steps)}


Start = Callable[..., Awaitable[Endpoint]]


def error_of(response: httpx.Response, status: int) -> dict[str, Any]:
    """The error of a refused request."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    error: dict[str, Any] = response.json()["error"]
    assert error["request_id"] == response.headers["x-request-id"]
    return error
