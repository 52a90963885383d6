"""Every example gateway, asked the same, between a real Pointsman and a scripted provider."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from e2e.parts.collector import Collector, Span
from e2e.parts.gateways import COMPLETIONS, KINDS, Gateway, Kind, gateway
from e2e.parts.pointsman import MorphApi, Service, pointsman_serve, policy_document
from e2e.parts.processes import until
from e2e.parts.upstream import Upstream, stream_events

CASES = yaml.safe_load(Path(__file__).with_name("gateway_cases.yaml").read_text())
STATIC_PICK = "anthropic/claude-sonnet-4.6"
ROUTED = "openai/gpt-5.5"
DEADLINE_MS = "2000"
"""Of a decision, where one is wanted: more than a busy machine takes for it."""
ROUTE_DECISION = "pointsman.v1.RoutingService/RouteDecision"


def body_of(**fields: Any) -> dict[str, Any]:
    return {
        "model": "kilo-auto/frontier",
        "messages": [{"role": "user", "content": "Please guard this accessor against null."}],
    } | fields


@dataclass
class Ask:
    """Who asks, in a trace of its own that finds its decision again."""

    trace: str
    span: str
    session: str

    @property
    def headers(self) -> dict[str, str]:
        return {
            "authorization": "Bearer key-of-the-client",
            "traceparent": f"00-{self.trace}-{self.span}-01",
            "x-user-id": "user-1",
            "x-session-id": self.session,
        }


def new_ask(session: str | None = None) -> Ask:
    return Ask(secrets.token_hex(16), secrets.token_hex(8), session or secrets.token_hex(8))


@pytest.fixture(
    scope="module",
    params=[pytest.param(k, id=k.name, marks=pytest.mark.part(k.name)) for k in KINDS],
)
def kind(request: pytest.FixtureRequest) -> Kind:
    return request.param


@pytest.fixture(scope="module")
def policy(morph: MorphApi) -> dict[str, Any]:
    return policy_document(morph.url, mode="serve")


@pytest.fixture(scope="module")
def service(folder: Path, policy: dict[str, Any], collector: Collector) -> Iterator[Service]:
    settings = collector.settings("pointsman")
    with pointsman_serve(folder, policy=policy, environment=settings) as running:
        yield running


@pytest.fixture(scope="module")
def gateways(
    kind: Kind, folder: Path, service: Service, provider: Upstream, collector: Collector
) -> Iterator[dict[str, Gateway]]:
    """One that mirrors and one that serves."""
    settings = {
        "pointsman": service.address,
        "upstream": provider.url,
        "environment": {
            **collector.settings(f"gateway-{kind.folder}"),
            "POINTSMAN_TIMEOUT_MS": DEADLINE_MS,
        },
    }
    with (
        gateway(kind, folder, mode="shadow", **settings) as shadow,
        gateway(kind, folder, mode="serve", **settings) as serve,
    ):
        yield {"shadow": shadow, "serve": serve}


@pytest.fixture(autouse=True)
def router(morph: MorphApi) -> MorphApi:
    """Morph's router, which says `gpt-5.5` until told otherwise."""
    morph.always("gpt-5.5")
    return morph


def in_both_modes(scenario: str) -> pytest.MarkDecorator:
    marks = {mode: pytest.mark.scenario(f"{mode}: {scenario}") for mode in ("shadow", "serve")}
    return pytest.mark.parametrize("mode", [pytest.param(m, marks=s) for m, s in marks.items()])


def cases() -> list[Any]:
    return [
        pytest.param(case, id=case["scenario"], marks=pytest.mark.scenario(case["scenario"]))
        for case in CASES
    ]


@pytest.mark.parametrize("case", cases())
def test_one_request(
    case: dict[str, Any],
    gateways: dict[str, Gateway],
    service: Service,
    router: MorphApi,
    upstream: Upstream,
) -> None:
    if said := case.get("router_says"):
        router.always(said)
    sent = _sent(case)
    ask = new_ask()
    for _ in range(case.get("times", 1)):
        ask = new_ask(ask.session)
        answer = gateways[case["gateway"]].ask(sent, {**ask.headers, **_headers(case)})
    _answered(case["expects"], answer, upstream, sent)
    if case["decision"] is None:
        assert not [line for line in service.decisions() if line["trace_id"] == ask.trace]
    else:
        line = service.decision(trace_id=ask.trace)
        assert {name: line[name] for name in case["decision"]} == case["decision"]


def _sent(case: dict[str, Any]) -> bytes:
    if raw := case.get("raw"):
        return raw.encode()
    body = body_of(**case.get("sends", {}))
    if repeated := case.get("repeat_prompt"):
        text, times = repeated
        body["messages"] = [{"role": "user", "content": text * times}]
    # Indented: what goes through untouched keeps even its blanks.
    return json.dumps(body, indent=1, ensure_ascii=False).encode()


def _headers(case: dict[str, Any]) -> dict[str, str]:
    user = case.get("user")
    named = {"x-user-id": user["letter"] * user["length"]} if user else {}
    return {**case.get("headers", {}), **named}


def _answered(
    expects: dict[str, Any], answer: httpx.Response, upstream: Upstream, sent: bytes
) -> None:
    assert answer.status_code == expects.get("status", 200), answer.text
    if "upstream" in expects and expects["upstream"] is None:
        assert answer.json()["error"]["message"]
        assert not upstream.arrivals
        return
    arrived = upstream.latest
    assert arrived.path == COMPLETIONS
    assert arrived.headers["authorization"] == "Bearer key-of-the-client"
    assert not [name for name in arrived.headers if name.startswith("x-")]
    model = arrived.document["model"]
    assert model == expects.get("upstream", model)
    assert arrived.document == json.loads(sent) | {"model": model}
    assert answer.json()["model"] == answer.headers["x-gateway-model"] == model
    assert answer.headers["x-upstream"] == "scripted"
    if why := expects.get("why"):
        assert answer.headers["x-gateway-why"] == why
    if expects.get("why") == "concrete":
        assert arrived.body == sent


@in_both_modes("a stream passes through as it comes")
def test_a_stream_passes_through_as_it_comes(
    mode: str, gateways: dict[str, Gateway], upstream: Upstream
) -> None:
    model = {"shadow": STATIC_PICK, "serve": ROUTED}[mode]
    first, *others = stream_events(model)
    url = gateways[mode].url + COMPLETIONS
    with httpx.stream("POST", url, json=body_of(stream=True), timeout=30) as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        assert answer.headers["x-gateway-model"] == model
        pieces = answer.iter_text()
        received = next(pieces)
        while len(received) < len(first):
            received += next(pieces)
        assert received == first
        upstream.more.set()  # the provider has sent no more than the first event until now
        assert "".join(pieces) == "".join(others)


@in_both_modes("the gateway stands above Pointsman in the trace")
def test_the_gateway_stands_above_pointsman_in_the_trace(
    mode: str, kind: Kind, gateways: dict[str, Gateway], upstream: Upstream, collector: Collector
) -> None:
    gateways[mode].ask(body_of())
    trace = upstream.latest.headers["traceparent"].split("-")[1]
    decision = _decision_span(collector, trace)
    above = collector.ancestors(decision)
    assert {span.service for span in above} == {f"gateway-{kind.folder}"}
    assert (above[-1].kind, above[-1].parent) == (Span.SERVER, "")


@in_both_modes("a client's trace goes on to Pointsman and the provider")
def test_a_clients_trace_goes_on_to_pointsman_and_the_provider(
    mode: str, kind: Kind, gateways: dict[str, Gateway], upstream: Upstream, collector: Collector
) -> None:
    for _ in range(2):  # the second one must not be drawn into the trace of the first
        ask = new_ask()
        gateways[mode].ask(body_of(), ask.headers)
        assert upstream.latest.headers["traceparent"].split("-")[1] == ask.trace
        root = collector.span(
            lambda s, ask=ask: s.trace == ask.trace and s.parent == ask.span,
            what="the gateway's span below the client's",
        )
        assert root.service == f"gateway-{kind.folder}"
        assert root in collector.ancestors(_decision_span(collector, ask.trace), until=root)


def _decision_span(collector: Collector, trace: str) -> Span:
    return collector.span(
        lambda s: (s.service, s.name, s.trace) == ("pointsman", ROUTE_DECISION, trace),
        what=f"Pointsman's span of trace {trace}",
    )


@pytest.mark.scenario("serve: a Pointsman that hangs costs no request its answer")
def test_serve_goes_on_while_pointsman_hangs(
    gateways: dict[str, Gateway], service: Service, upstream: Upstream
) -> None:
    assert gateways["serve"].ask(body_of()).is_success  # connected
    service.program.suspend()
    try:
        answer = gateways["serve"].ask(body_of(), new_ask().headers)
    finally:
        service.program.resume()
    assert answer.headers["x-gateway-why"] == "fallback"
    assert upstream.latest.document["model"] == STATIC_PICK


@pytest.mark.scenario("shadow: no request waits for its mirror")
def test_shadow_goes_on_while_pointsman_hangs(
    gateways: dict[str, Gateway], service: Service, upstream: Upstream
) -> None:
    ask = new_ask()
    assert gateways["shadow"].ask(body_of(), ask.headers).is_success
    service.decision(trace_id=ask.trace)  # connected
    ask = new_ask()
    service.program.suspend()
    try:
        answer = gateways["shadow"].ask(body_of(), ask.headers)
    finally:
        service.program.resume()
    assert answer.headers["x-gateway-why"] == "shadow"
    assert upstream.latest.document["model"] == STATIC_PICK
    # Decided after the answer was there: Pointsman stood still until then.
    assert service.decision(trace_id=ask.trace)["routed_model"] == ROUTED


@pytest.mark.scenario("serve: Pointsman killed: the static pick; started again: the decision")
def test_serve_goes_on_while_pointsman_is_down(
    kind: Kind, folder: Path, policy: dict[str, Any], upstream: Upstream, tmp_path: Path
) -> None:
    """With the deadline that a gateway has unless it is told otherwise."""
    routed, fallback = ("routed", ROUTED), ("fallback", STATIC_PICK)
    with pointsman_serve(tmp_path, policy=policy) as first:
        port = int(first.address.rpartition(":")[2])
        settings = {"pointsman": first.address, "upstream": upstream.url}
        with gateway(kind, folder, mode="serve", **settings) as asked:
            until(lambda: _served(asked, upstream) == routed, what="the gateway to ask")
            first.program.kill()
            for _ in range(3):
                assert _served(asked, upstream) == fallback
            with pointsman_serve(tmp_path, policy=policy, port=port):
                until(lambda: _served(asked, upstream) == routed, what="it to ask again")


def _served(asked: Gateway, upstream: Upstream) -> tuple[str, str]:
    """Whose choice it was, and the model that the provider was asked for."""
    answer = asked.ask(body_of(), new_ask().headers)
    assert answer.status_code == 200
    return answer.headers["x-gateway-why"], upstream.latest.document["model"]
