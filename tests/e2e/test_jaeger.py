"""One decision as Jaeger has it: from a gateway's root span down to Morph's server span."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from e2e.parts import chromium
from e2e.parts.gateways import PYTHON, Gateway, gateway
from e2e.parts.jaeger import Jaeger, jaeger
from e2e.parts.pointsman import (
    MORPH_KEY,
    MorphApi,
    Service,
    morph_api,
    pointsman_serve,
    policy_document,
)
from e2e.parts.upstream import Upstream
from support.redis_server import RealServer

pytestmark = [
    pytest.mark.part("Jaeger"),
    pytest.mark.timeout(1_800),  # the first run builds Jaeger
]

ROUTED = "openai/gpt-5.5"
GATEWAY, POINTSMAN, MORPH = "gateway", "pointsman", "pointsman-morph-api"
DECISION = f"{POINTSMAN} pointsman.v1.RoutingService/RouteDecision"
SECRET = "wombat-1f4e"
PROMPT = f"Please guard the accessor of {SECRET} against null."


@dataclass(frozen=True)
class Stack:
    """Everything between a client and the cache, each part exporting to one Jaeger."""

    jaeger: Jaeger
    gateway: Gateway
    service: Service
    morph: MorphApi
    redis: RealServer

    def ask(self, prompt: str, *, session: str) -> str:
        """Ask the gateway for a completion; the trace, as the decision log names it."""
        before = len(self.service.decisions())
        message = {"role": "user", "content": prompt}
        body = {"model": "kilo-auto/frontier", "messages": [message]}
        headers = {"x-user-id": f"user-{SECRET}", "x-session-id": session}
        assert self.gateway.ask(body, headers).is_success
        return str(self.service.decision(before + 1)["trace_id"])


@pytest.fixture(scope="module")
def stack(folder: Path, provider: Upstream) -> Iterator[Stack]:
    with (
        jaeger(folder) as backend,
        RealServer("redis") as redis,
        morph_api(folder, environment=backend.settings(MORPH)) as morph,
    ):
        policy = policy_document(morph.url, mode="serve")
        policy["cache"]["url"] = redis.url
        service_env, gateway_env = backend.settings(POINTSMAN), backend.settings(GATEWAY)
        gateway_env["POINTSMAN_TIMEOUT_MS"] = "5000"
        with (
            pointsman_serve(folder, policy=policy, environment=service_env) as service,
            gateway(
                PYTHON, folder, mode="serve", pointsman=service.address, upstream=provider.url,
                environment=gateway_env,
            ) as asked,
        ):  # fmt: skip
            yield Stack(backend, asked, service, morph, redis)


@pytest.fixture(autouse=True)
def router(stack: Stack) -> MorphApi:
    """Morph's router, which says `gpt-5.5` until told otherwise."""
    stack.morph.always("gpt-5.5")
    return stack.morph


@pytest.mark.scenario("one trace: gateway, RouteDecision, cache lookup, engine, Morph")
def test_a_decision_is_one_trace_from_the_gateway_to_morph(stack: Stack) -> None:
    [root] = stack.jaeger.trace(stack.ask(PROMPT, session="first"), spans=6)
    assert root.outline() == [
        f"{GATEWAY} POST /v1/chat/completions",
        f"  {DECISION}",
        f"    {POINTSMAN} pointsman.cache.lookup",
        f"    {POINTSMAN} pointsman.engine morph",
        f"      {MORPH} POST /v1/router/multimodel",
        f"  {GATEWAY} POST",
    ]
    _, decision, lookup, engine, served, completion = spans = list(root.walk())
    assert [span.kind for span in spans] == [
        "server", "server", "internal", "client", "server", "client"
    ]  # fmt: skip
    assert (
        decision.tags.items()
        >= {
            "rpc.method": "pointsman.v1.RoutingService/RouteDecision",
            "rpc.response.status_code": "OK",
            "pointsman.auto_model": "kilo-auto/frontier",
            "pointsman.outcome": "routed",
            "pointsman.source": "morph",
            "pointsman.static_pick": "anthropic/claude-sonnet-4.6",
            "pointsman.served_model": ROUTED,
            "pointsman.agreement": False,
            "pointsman.cached": False,
            "pointsman.candidate_count": 4,
        }.items()
    )
    assert root.tags.items() >= {"gateway.model": ROUTED, "gateway.why": "routed"}.items()
    assert decision.tags["pointsman.decision_id"] == stack.service.decisions()[-1]["decision_id"]
    assert lookup.tags["pointsman.cached"] is False
    assert stack.redis("INFO", "stats")["keyspace_misses"] >= 1  # it was Redis that was asked
    assert (
        engine.tags.items()
        >= {
            "pointsman.engine": "morph",
            "pointsman.routed_model": ROUTED,
            "http.response.status_code": 200,
            "url.path": "/v1/router/multimodel",
        }.items()
    )
    assert served.tags["http.route"] == "/v1/router/multimodel"
    assert completion.tags["http.response.status_code"] == 200
    assert not [span.name for span in spans if span.failed]


@pytest.mark.scenario("a kept decision: the lookup finds it, nobody is asked")
def test_a_kept_decision_ends_at_the_cache(stack: Stack) -> None:
    stack.ask(PROMPT, session="second")
    [root] = stack.jaeger.trace(stack.ask(PROMPT, session="second"), spans=4)
    assert root.outline()[1:3] == [f"  {DECISION}", f"    {POINTSMAN} pointsman.cache.lookup"]
    _, decision, lookup, completion = root.walk()
    assert (completion.service, completion.kind) == (GATEWAY, "client")
    assert lookup.tags["pointsman.cached"] is True
    assert decision.tags["pointsman.cached"] is True


@pytest.mark.scenario("Morph fails: its spans are errors, the decision is not")
def test_a_failing_engine_is_an_error_and_the_decision_is_not(
    stack: Stack, router: MorphApi
) -> None:
    router.script({"status": 503, "times": -1})
    [root] = stack.jaeger.trace(stack.ask(PROMPT, session="third"), spans=7)
    named = {span.name: span for span in root.walk()}
    decision = named["pointsman.v1.RoutingService/RouteDecision"]
    assert [span.name for span in decision.below] == [
        "pointsman.cache.lookup", "pointsman.engine morph", "pointsman.engine local"
    ]  # fmt: skip
    assert {name for name, span in named.items() if span.failed} == {
        "pointsman.engine morph", "POST /v1/router/multimodel"
    }  # fmt: skip
    assert decision.tags["rpc.response.status_code"] == "OK"
    assert decision.tags["pointsman.source"] == "local"
    assert decision.tags["pointsman.failures"] == '["morph:http_503"]'
    assert named["pointsman.engine morph"].tags["error.type"] == "http_503"
    assert named["POST /v1/router/multimodel"].tags["error.type"] == "503"


@pytest.mark.scenario("Jaeger's page shows the trace, and no prompt, key or id")
def test_its_page_shows_the_trace_and_no_secret(stack: Stack, router: MorphApi) -> None:
    router.script({"status": 503, "times": -1})
    trace = stack.ask(PROMPT, session=f"session-{SECRET}")
    [root] = stack.jaeger.trace(trace, spans=7)
    assert not [s.name for s in root.walk() if SECRET in f"{s.tags}" or MORPH_KEY in f"{s.tags}"]
    page = chromium.content(stack.jaeger.page(trace))
    assert [span.name for span in root.walk() if span.name not in page] == []
    if picture := os.environ.get("POINTSMAN_TRACE_PICTURE"):
        chromium.screenshot(stack.jaeger.page(trace), Path(picture).resolve(), size=(1600, 482))
