"""A real LiteLLM proxy with the hook, between a client and a scripted provider.

The first run installs LiteLLM, which takes minutes and about a gigabyte of the cache.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e.parts.litellm import LiteLlm, litellm
from e2e.parts.pointsman import MorphApi, Service, pointsman_serve, policy_document
from e2e.parts.processes import until
from e2e.parts.upstream import Upstream

pytestmark = [pytest.mark.part("LiteLLM proxy"), pytest.mark.timeout(1800)]

TIER = "kilo-auto/frontier"
STATIC_PICK = "anthropic/claude-sonnet-4.6"
CANDIDATES = {STATIC_PICK, "anthropic/claude-opus-4.8", "google/gemini-3.1-pro-preview"}
CHAT = "/v1/chat/completions"
_WORDS = "Why is the sky blue?"
OTHERS: dict[str, tuple[str, dict[str, Any]]] = {
    "responses": ("/v1/responses", {"model": TIER, "input": _WORDS}),
    "messages": (
        "/v1/messages",
        {"model": TIER, "max_tokens": 1600, "messages": [{"role": "user", "content": _WORDS}]},
    ),
}


def chat(**fields: Any) -> dict[str, Any]:
    # A conversation of its own: nothing is kept from another test.
    words = f"Please guard accessor {secrets.token_hex(4)} against null."
    return {"model": TIER, "messages": [{"role": "user", "content": words}]} | fields


def _served(proxy: LiteLlm, upstream: Upstream) -> str:
    """The model that the provider gets for a new conversation."""
    assert proxy.ask(CHAT, chat()).is_success
    return str(upstream.latest.document["model"])


@pytest.fixture(scope="module")
def policy(morph: MorphApi) -> dict[str, Any]:
    return policy_document(morph.url, mode="serve")


@pytest.fixture(scope="module")
def service(folder: Path, policy: dict[str, Any]) -> Iterator[Service]:
    with pointsman_serve(folder, policy=policy) as running:
        yield running


@pytest.fixture(scope="module")
def serving(
    tmp_path_factory: pytest.TempPathFactory,
    service: Service,
    provider: Upstream,
    morph: MorphApi,
) -> Iterator[LiteLlm]:
    morph.always("gpt-5.5")
    folder = tmp_path_factory.mktemp("litellm")
    with litellm(folder, mode="serve", pointsman=service.address, upstream=provider.url) as running:
        # The first calls of a proxy load much: none of them is decided for in time.
        until(lambda: _served(running, provider) == "openai/gpt-5.5", what="a decision")
        yield running


@pytest.fixture(autouse=True)
def router(morph: MorphApi) -> MorphApi:
    """Morph's router, which says `gpt-5.5` until told otherwise."""
    morph.always("gpt-5.5")
    return morph


@pytest.mark.scenario("serve: the provider gets the decided model, in the caller's trace")
def test_the_decided_model_is_called(
    serving: LiteLlm, service: Service, upstream: Upstream
) -> None:
    trace = secrets.token_hex(16)
    parent = f"00-{trace}-{secrets.token_hex(8)}-01"
    answer = serving.ask(CHAT, chat(), traceparent=parent)
    assert answer.status_code == 200, answer.text
    assert upstream.latest.document["model"] == "openai/gpt-5.5"
    line = service.decision(trace_id=trace)
    assert (line["served_model"], line["api_kind"]) == ("openai/gpt-5.5", "chat_completions")


@pytest.mark.scenario("serve: a session stays on its model")
def test_a_session_is_a_conversation(
    serving: LiteLlm, router: MorphApi, upstream: Upstream
) -> None:
    session = secrets.token_hex(8)
    for said in ("gpt-5.5", "claude-opus-4-8"):
        router.always(said)
        assert serving.ask(CHAT, chat(), **{"x-litellm-session-id": session}).is_success
        assert upstream.latest.document["model"] == "openai/gpt-5.5"


@pytest.mark.parametrize(
    "kind", [pytest.param(k, marks=pytest.mark.scenario(f"serve: {k}")) for k in OTHERS]
)
def test_the_other_apis(kind: str, serving: LiteLlm, service: Service, upstream: Upstream) -> None:
    path, body = OTHERS[kind]
    trace = secrets.token_hex(16)
    # What LiteLLM makes of the scripted answer is not what this is about.
    serving.ask(path, body, traceparent=f"00-{trace}-{secrets.token_hex(8)}-01")
    assert upstream.latest.document["model"] == "openai/gpt-5.5"
    assert service.decision(trace_id=trace)["api_kind"] == kind


@pytest.mark.scenario("serve: a concrete model is not asked about")
def test_a_concrete_model_is_left_alone(
    serving: LiteLlm, service: Service, upstream: Upstream
) -> None:
    trace = secrets.token_hex(16)
    body = chat(model="anthropic/claude-opus-4.8")
    serving.ask(CHAT, body, traceparent=f"00-{trace}-{secrets.token_hex(8)}-01")
    assert upstream.latest.document["model"] == "anthropic/claude-opus-4.8"
    assert trace not in {line["trace_id"] for line in service.decisions()}


@pytest.mark.scenario("serve: a session of Claude Code is a conversation of its user")
def test_a_session_of_an_agent_is_a_conversation(
    serving: LiteLlm, router: MorphApi, upstream: Upstream
) -> None:
    session = secrets.token_hex(8)
    for said in ("gpt-5.5", "claude-opus-4-8"):
        router.always(said)
        metadata = {"user_id": f"user_x_account__session_{session}"}
        serving.ask("/v1/messages", chat(max_tokens=1000, metadata=metadata))
        assert upstream.latest.document["model"] == "openai/gpt-5.5"


@pytest.mark.parametrize(
    "limits",
    [
        pytest.param({"lacks": ["openai/gpt-5.5"]},
                     marks=pytest.mark.scenario("serve: a model that the proxy lacks is not sent")),
        pytest.param({"key_models": [TIER, STATIC_PICK, "anthropic/claude-opus-4.8"]},
                     marks=pytest.mark.scenario("serve: nor one that the key may not use")),
    ],
)  # fmt: skip
def test_candidates_are_what_the_proxy_has_and_the_key_may_use(
    limits: dict[str, Any],
    tmp_path: Path,
    service: Service,
    upstream: Upstream,
    router: MorphApi,
) -> None:
    with litellm(
        tmp_path, mode="serve", pointsman=service.address, upstream=upstream.url, **limits
    ) as proxy:
        router.always("gpt-5.5")
        for _ in range(3):
            # Another engine may decide, for a model that there is.
            assert _served(proxy, upstream) in CANDIDATES
            assert upstream.latest.document["model"] != "openai/gpt-5.5"
        router.always("claude-opus-4-8")
        wanted = "anthropic/claude-opus-4.8"
        until(lambda: _served(proxy, upstream) == wanted, what="a decision")


@pytest.mark.scenario("shadow: LiteLLM's own alias serves, the decision is recorded")
def test_shadow_changes_nothing(tmp_path: Path, service: Service, upstream: Upstream) -> None:
    with litellm(
        tmp_path, mode="shadow", pointsman=service.address, upstream=upstream.url
    ) as proxy:
        trace = secrets.token_hex(16)
        parent = f"00-{trace}-{secrets.token_hex(8)}-01"
        assert proxy.ask(CHAT, chat(), traceparent=parent).is_success
        assert upstream.latest.document["model"] == STATIC_PICK
        line = service.decision(trace_id=trace)
        assert (line["routed_model"], line["resolved_model"]) == ("openai/gpt-5.5", STATIC_PICK)


@pytest.mark.scenario("serve: Pointsman hangs, is killed, comes back")
def test_without_pointsman_the_static_pick_serves(
    tmp_path: Path, policy: dict[str, Any], upstream: Upstream
) -> None:
    with (
        pointsman_serve(tmp_path, policy=policy) as service,
        litellm(tmp_path, mode="serve", pointsman=service.address, upstream=upstream.url) as proxy,
    ):
        until(lambda: _served(proxy, upstream) == "openai/gpt-5.5", what="a decision")
        service.program.suspend()
        assert _served(proxy, upstream) == STATIC_PICK
        service.program.kill()
        assert _served(proxy, upstream) == STATIC_PICK
        port = int(service.address.rpartition(":")[2])
        with pointsman_serve(tmp_path, policy=policy, port=port):
            until(lambda: _served(proxy, upstream) == "openai/gpt-5.5", what="decisions")
