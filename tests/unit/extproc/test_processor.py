"""The processor as Envoy drives it: with `serves` no tier ever reaches a provider."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import pytest
from pointsman_client.testing import FakeService, Refusal, routed
from support.envoy_requests import (
    BODIES,
    CHAT,
    DECIDED,
    PICK,
    SIDES,
    TIER,
    TURNS,
    UNREADABLE,
    chat,
)


@pytest.mark.parametrize(("path", "body"), TURNS)
async def test_a_tier_becomes_the_decided_model(
    path: str, body: str, envoy: Any, fake: FakeService
) -> None:
    fake.answer(routed(DECIDED))
    sent = await envoy().send(BODIES[body], path)
    assert sent.model == DECIDED
    assert sent.headers["x-pointsman-model"] == DECIDED
    assert sent.headers["content-length"] == str(len(sent.body))
    [call] = fake.calls
    assert call.request.prompt.user_prompt_prefix == "Why?"
    assert call.request.body_bytes == len(json.dumps(BODIES[body]))


@pytest.mark.parametrize(("path", "body"), SIDES)
async def test_a_side_request_gets_the_model_of_its_conversation(
    path: str, body: str, envoy: Any, fake: FakeService
) -> None:
    fake.answer(routed(DECIDED))
    through = envoy()
    turn = "/v1/messages" if body == "messages" else "/v1/responses"
    await through.send(BODIES[body], turn)
    sent = await through.send(BODIES[body], path)
    assert sent.model == DECIDED
    assert len(fake.calls) == 1
    assert through.count("side", model_set=True) == 1


async def test_a_side_request_of_another_conversation_is_asked_about_without_a_trace_of_it(
    envoy: Any, fake: FakeService
) -> None:
    fake.answer(routed("vendor/first"))
    fake.answer(routed(DECIDED))
    through = envoy()
    await through.send(chat(), "/v1/messages", x_session_id="s-1")
    sent = await through.send(chat(), "/v1/messages/count_tokens", x_session_id="s-2")
    assert sent.model == DECIDED
    assert fake.calls[1].request.dry_run
    assert fake.calls[1].request.prompt.max_output_tokens == 1


async def test_gemini_names_the_model_in_the_path(envoy: Any, fake: FakeService) -> None:
    fake.answer(routed(DECIDED))
    body = {"contents": [{"role": "user", "parts": [{"text": "Why?"}]}]}
    through = envoy()
    sent = await through.send(body, f"/v1beta/models/{TIER}:streamGenerateContent?alt=sse")
    assert sent.path == f"/v1beta/models/{DECIDED}:streamGenerateContent?alt=sse"
    assert json.loads(sent.body) == body
    assert fake.calls[0].request.prompt.user_prompt_prefix == "Why?"
    assert fake.calls[0].request.prompt.stream
    side = await through.send(body, f"/v1beta/models/{TIER}:countTokens")
    assert side.path == f"/v1beta/models/{DECIDED}:countTokens"


async def test_a_deployment_names_the_model_in_the_path(envoy: Any, fake: FakeService) -> None:
    fake.answer(routed(DECIDED))
    body = {"messages": [{"role": "user", "content": "Why?"}]}
    sent = await envoy().send(body, f"/openai/deployments/{TIER}/chat/completions?v=1")
    assert sent.path == f"/openai/deployments/{DECIDED}/chat/completions?v=1"
    assert json.loads(sent.body) == body


async def test_a_tier_in_the_body_counts_beside_a_model_in_the_path(
    envoy: Any, fake: FakeService
) -> None:
    fake.answer(routed(DECIDED))
    sent = await envoy().send(chat(), "/openai/deployments/gpt-5/chat/completions")
    assert (sent.model, sent.path) == (DECIDED, "/openai/deployments/gpt-5/chat/completions")


@pytest.mark.parametrize(
    "path",
    ["/v1/embeddings", "/v1/completions", "/v1/messages/batches", "/rerank",
     f"/v1beta/models/{TIER}:embedContent", "/model/kilo-auto%2Ffrontier/converse"],
)  # fmt: skip
async def test_another_api_gets_the_static_pick_and_is_counted(
    path: str, envoy: Any, fake: FakeService
) -> None:
    through = envoy()
    sent = await through.send(chat(), path)
    assert not sent.names_tier()
    assert sent.model == PICK
    assert through.count("unknown_api", model_set=True) == 1
    assert not fake.calls


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(json.dumps(chat()).encode())),
        ("gzip", gzip.compress(json.dumps(chat()).encode()[:20])
         + gzip.compress(json.dumps(chat()).encode()[20:])),
        ("deflate", zlib.compress(json.dumps(chat()).encode())),
        ("deflate", zlib.compress(json.dumps(chat()).encode(), wbits=-15)),
    ],
    ids=["gzip", "gzip in two members", "zlib", "bare deflate"],
)  # fmt: skip
async def test_a_compressed_body_is_decided_for(
    encoding: str, body: bytes, envoy: Any, fake: FakeService
) -> None:
    fake.answer(routed(DECIDED))
    sent = await envoy().send(body, content_encoding=encoding)
    assert sent.model == DECIDED
    assert "content-encoding" not in sent.headers


async def test_a_compressed_concrete_model_passes_as_it_came(envoy: Any) -> None:
    body = gzip.compress(json.dumps(chat(model="vendor/m")).encode())
    sent = await envoy().send(body, content_encoding="gzip")
    assert (sent.body, sent.headers["content-encoding"]) == (body, "gzip")


async def test_candidates_and_ids_go_with_the_question(envoy: Any, fake: FakeService) -> None:
    fake.answer(routed("vendor/b"))
    body = chat(metadata={"user_id": "user_x_account__session_y"})
    through = envoy(candidates={TIER: ("vendor/a", "vendor/b")})
    await through.send(body, "/v1/messages", x_user_id="")
    request = fake.calls[0].request
    assert list(request.routing.candidate_models) == ["vendor/a", "vendor/b"]
    assert (request.caller.user_id, request.caller.session_id) == ("user_x", "y")


async def test_the_service_hears_which_model_served_without_it(
    envoy: Any, fake: FakeService
) -> None:
    fake.answer(Refusal(status="UNAVAILABLE"))
    fake.always(routed(DECIDED))
    through = envoy()
    agent = {"x_session_id": "s-1", "x_claude_code_agent_id": "agent-1"}
    for headers in (agent, agent, agent, {"x_session_id": "s-1"}):
        await through.send(chat(max_tokens=9), "/v1/messages", **headers)
    requests = [call.request for call in fake.calls]
    assert [each.routing.incumbent_model for each in requests] == ["", PICK, "", ""]
    assert [each.caller.agent_id for each in requests] == [*["agent-1"] * 3, ""]
    assert requests[0].prompt.max_output_tokens == 9


async def test_shadow_lets_everything_through_as_it_came(envoy: Any, fake: FakeService) -> None:
    fake.always(routed(DECIDED))
    through = envoy(serves=False)
    for body, path in ((chat(), CHAT), (chat(), "/v1/embeddings"), (UNREADABLE["cut off"], CHAT)):
        raw = json.dumps(body).encode() if isinstance(body, dict) else body
        sent = await through.send(body, path)
        assert (sent.body, sent.status, sent.path) == (raw, 0, path)
    await fake.asked(1)
