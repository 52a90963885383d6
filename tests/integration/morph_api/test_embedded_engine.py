"""The Morph-compatible endpoint before the embedded engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from pointsman_server.core.policy_file import LocalRules
from pointsman_server.engines.local import LocalEngine
from pointsman_server.morph_api import FixedKeys, build_app, serve
from support.morph_endpoint import (
    CATALOG,
    CLASSIFY,
    KEY,
    PROMPT,
    ROUTE,
)

LOSS = {"balanced": 0.05, "cost_efficient": 0.1, "capability_heavy": 0.02, "domain_skills": 0.0}
VOCABULARY = {
    "difficulty": {"easy", "medium", "hard", "needs_info"},
    "ambiguity": {"low", "med", "high"},
    "domain": {"general", "summary", "coding", "design", "data"},
}


@pytest.fixture
async def embedded() -> AsyncIterator[httpx.AsyncClient]:
    local = LocalEngine.load(LocalRules(quality_loss=LOSS))
    app = build_app(engine=local, classifier=local, models=CATALOG, keys=FixedKeys((KEY,)))
    listening = await serve(app)
    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(base_url=listening.url, headers=headers, timeout=30) as client:
        yield client
    await listening.aclose()


@pytest.mark.parametrize("policy", list(LOSS))
async def test_the_embedded_engine_decides_under_every_policy(
    embedded: httpx.AsyncClient, policy: str
) -> None:
    allowed = ["mystery-9", "openai/gpt-5.5", "claude-opus-4-8"]
    body = {"input": PROMPT, "allowed_models": allowed, "policy": policy}
    answers = [(await embedded.post(ROUTE, json=body)).json() for _ in range(2)]
    assert answers[0] == answers[1]
    assert answers[0]["model"] in allowed
    for head, labels in VOCABULARY.items():
        assert answers[0][head] in labels


async def test_the_embedded_engine_labels_prompts(embedded: httpx.AsyncClient) -> None:
    response = await embedded.post(CLASSIFY, json={"input": "Write a SQL query over two tables."})
    found = response.json()["classifications"]
    assert set(found) == set(VOCABULARY)
    for head, labels in VOCABULARY.items():
        assert found[head]["label"] in labels
        assert 0 <= found[head]["confidence"] <= 1


async def test_the_embedded_engine_answers_a_crowd(embedded: httpx.AsyncClient) -> None:
    prompts = [f"Task {n}: explain what a monoid is." for n in range(100)]
    responses = await asyncio.gather(*(embedded.post(ROUTE, json={"input": p}) for p in prompts))
    assert {response.status_code for response in responses} == {200}
    assert {response.json()["model"] for response in responses} <= set(CATALOG)
