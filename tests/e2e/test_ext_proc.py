"""A real Envoy with `pointsman ext-proc` beside it, between a client and scripted providers."""

from __future__ import annotations

import gzip
import json
import secrets
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from e2e.parts.collector import Collector
from e2e.parts.envoy import validate
from e2e.parts.ext_proc import EXAMPLE, ROOT, STATIC_PICK, ExtProc, example_envoy, ext_proc
from e2e.parts.pointsman import MorphApi, Service, pointsman_serve, policy_document
from e2e.parts.processes import program, until
from e2e.parts.upstream import Upstream, scripted_upstream, stream_events
from support.ports import free_port

pytestmark = pytest.mark.part("Envoy ext_proc")

TIER = "kilo-auto/frontier"
PATIENCE = 30.0
SLOW = ("--timeout", "0.9")
"""More than a busy machine takes for a decision, and below the example's message_timeout."""
CHAT = "/v1/chat/completions"
APIS = {
    "chat_completions": (
        CHAT,
        b"""{ "messages": [{"role":"user","content":"Why is the sky blue \\u2615?"}],
          "seed": 12345678901234567890, "temperature": 0.10,
          "metadata": {"model": "kilo-auto/frontier"}, "model" : "kilo-auto/frontier" }\n""",
    ),
    "responses": (
        "/openai/v1/responses?tag=1",
        b"""{"model":"kilo-auto/frontier","input":"Why is it blue?","instructions":"Be brief."}""",
    ),
    "messages": (
        "/v1/messages",
        b"""{"model":"kilo-auto/frontier","max_tokens":1600,
          "messages":[{"role":"user","content":[{"type":"text","text":"Why?"}]}]}""",
    ),
}


@dataclass
class Client:
    """Asks through Envoy; each request in a trace of its own."""

    url: str
    trace: str = ""

    def ask(self, body: Any, path: str = CHAT, **headers: str) -> httpx.Response:
        """One POST; a mapping is sent as JSON, an iterator in chunks."""
        self.trace = secrets.token_hex(16)
        content = json.dumps(body).encode() if isinstance(body, dict) else body
        return httpx.post(
            self.url + path,
            content=content,
            headers={
                "content-type": "application/json",
                "traceparent": f"00-{self.trace}-{secrets.token_hex(8)}-01",
                "x-user-id": "user-1",
                **{name.replace("_", "-"): value for name, value in headers.items()},
            },
            timeout=PATIENCE,
        )


def chat(**fields: Any) -> dict[str, Any]:
    # A conversation of its own: nothing is kept from another test.
    words = f"Please guard accessor {secrets.token_hex(4)} against null."
    return {"model": TIER, "messages": [{"role": "user", "content": words}]} | fields


@pytest.fixture(scope="module")
def policy(morph: MorphApi) -> dict[str, Any]:
    return policy_document(morph.url, mode="serve")


@pytest.fixture(scope="module")
def service(folder: Path, policy: dict[str, Any]) -> Iterator[Service]:
    with pointsman_serve(folder, policy=policy) as running:
        yield running


@pytest.fixture(scope="module")
def claude() -> Iterator[Upstream]:
    with scripted_upstream() as running:
        yield running


@pytest.fixture(scope="module")
def processor(folder: Path, service: Service) -> Iterator[ExtProc]:
    with ext_proc(folder, "--serve", *SLOW, pointsman=service.address) as running:
        yield running


@pytest.fixture(scope="module")
def serving(
    folder: Path, processor: ExtProc, provider: Upstream, claude: Upstream
) -> Iterator[Client]:
    with example_envoy(
        folder / "serve",
        processor=processor.address,
        provider=provider.url,
        provider_of_claude=claude.url,
    ) as url:
        yield Client(url)


@pytest.fixture(autouse=True)
def router(morph: MorphApi, claude: Upstream) -> MorphApi:
    """Morph's router, which says `gpt-5.5` until told otherwise."""
    morph.always("gpt-5.5")
    claude.arrivals.clear()
    return morph


@pytest.mark.scenario("the example configuration is valid")
def test_envoy_takes_the_example() -> None:
    validate(EXAMPLE)


@pytest.mark.parametrize(
    "kind",
    [pytest.param(k, marks=pytest.mark.scenario(f"serve: {k}, only the model changes"))
     for k in APIS],
)  # fmt: skip
def test_the_decided_model_is_set_and_no_other_byte(
    kind: str, serving: Client, service: Service, upstream: Upstream
) -> None:
    path, body = APIS[kind]
    answer = serving.ask(body, path)
    assert answer.status_code == 200
    arrived = upstream.latest
    head, _, tail = body.rpartition(b'"kilo-auto/frontier"') if kind == "chat_completions" else (
        body.partition(b'"kilo-auto/frontier"')
    )  # fmt: skip
    assert arrived.body == head + b'"openai/gpt-5.5"' + tail
    assert arrived.path == path
    assert arrived.headers["content-length"] == str(len(arrived.body))
    assert arrived.headers["x-pointsman-model"] == "openai/gpt-5.5"
    assert arrived.headers["x-pointsman-why"] == "routed"
    line = service.decision(trace_id=serving.trace)
    assert line["api_kind"] == kind
    assert line["served_model"] == "openai/gpt-5.5"


@pytest.mark.scenario("serve: the decided model chooses the route")
def test_the_route_follows_the_decision(
    serving: Client, router: MorphApi, upstream: Upstream, claude: Upstream
) -> None:
    router.always("claude-opus-4-8")
    assert serving.ask(chat()).json()["model"] == "anthropic/claude-opus-4.8"
    assert claude.latest.headers["x-pointsman-model"] == "anthropic/claude-opus-4.8"
    assert not upstream.arrivals


@pytest.mark.scenario("serve: a client cannot choose the route by the processor's headers")
def test_a_clients_own_word_on_the_model_is_taken_away(
    serving: Client, upstream: Upstream, claude: Upstream
) -> None:
    spoofed = {"x_pointsman_model": "anthropic/claude-opus-4.8", "x_pointsman_why": "routed"}
    serving.ask(chat(model="vendor/model-1"), **spoofed)
    assert not claude.arrivals
    assert not {"x-pointsman-model", "x-pointsman-why"} & set(upstream.latest.headers)


@pytest.mark.scenario("serve: a concrete model passes as it came")
def test_a_concrete_model_passes_as_it_came(serving: Client, upstream: Upstream) -> None:
    body = b'{ "model":"vendor/model-1", "messages":[], "n": 1.0 }'
    assert serving.ask(body).status_code == 200
    assert upstream.latest.body == body
    assert "x-pointsman-model" not in upstream.latest.headers


@pytest.mark.parametrize(
    ("body", "path"),
    [
        pytest.param(b'{"model": "kilo-auto/frontier", "input": "x"}', "/v1/embeddings",
                     marks=pytest.mark.scenario("serve: another API gets the static pick")),
        pytest.param(b'{"model": "kilo-auto/frontier", "model": "kilo-auto/frontier"}', CHAT,
                     marks=pytest.mark.scenario("serve: a body with two models, too")),
        pytest.param(b'{"model": "kilo-auto/frontier", "messages": [', CHAT,
                     marks=pytest.mark.scenario("serve: a broken body, too")),
    ],
)  # fmt: skip
def test_what_is_not_understood_gets_the_static_pick(
    body: bytes, path: str, serving: Client, upstream: Upstream, claude: Upstream
) -> None:
    assert serving.ask(body, path).status_code == 200
    assert claude.latest.body == body.replace(TIER.encode(), STATIC_PICK.encode())
    assert claude.latest.headers["x-pointsman-model"] == STATIC_PICK
    assert not upstream.arrivals


@pytest.mark.scenario("serve: a compressed body is decided for, and goes on as it was before")
def test_a_compressed_body_is_decided_for(serving: Client, upstream: Upstream) -> None:
    body = json.dumps(chat()).encode()
    assert serving.ask(gzip.compress(body), content_encoding="gzip").status_code == 200
    assert upstream.latest.body == body.replace(TIER.encode(), b"openai/gpt-5.5")
    assert "content-encoding" not in upstream.latest.headers


@pytest.mark.scenario("serve: an encoding that is not read is refused")
def test_an_encoding_that_is_not_read_is_refused(serving: Client, upstream: Upstream) -> None:
    answer = serving.ask(b"(\xb5/\xfd", content_encoding="zstd")
    assert (answer.status_code, answer.headers["x-pointsman-why"]) == (415, "encoded")
    assert not upstream.arrivals


@pytest.mark.parametrize(
    ("turn", "side"),
    [pytest.param("/v1/messages", "/v1/messages/count_tokens?beta=true",
                  marks=pytest.mark.scenario("serve: token counting gets the turn's model")),
     pytest.param("/v1/responses", "/v1/responses/compact",
                  marks=pytest.mark.scenario("serve: compaction gets the turn's model"))],
)  # fmt: skip
def test_a_side_request_gets_the_model_of_its_conversation(
    turn: str, side: str, serving: Client, upstream: Upstream, router: MorphApi
) -> None:
    session = {"x_claude_code_session_id": secrets.token_hex(8)}
    body = chat(max_tokens=1000) if "messages" in turn else {"model": TIER, "input": "Why?"}
    serving.ask(body, turn, **session)
    router.always("claude-opus-4-8")
    serving.ask(body, side, **session)
    assert upstream.latest.document["model"] == "openai/gpt-5.5"
    assert upstream.latest.path == side


@pytest.mark.scenario("serve: a Gemini path gets the decided model")
def test_the_model_of_a_path_is_set(serving: Client, upstream: Upstream) -> None:
    body = {"contents": [{"role": "user", "parts": [{"text": secrets.token_hex(8)}]}]}
    serving.ask(body, f"/v1beta/models/{TIER}:generateContent?key=k")
    assert upstream.latest.path == "/v1beta/models/openai/gpt-5.5:generateContent?key=k"
    assert upstream.latest.document == body


@pytest.mark.scenario("serve: a streamed answer passes event by event, untouched")
def test_a_stream_passes_as_it_comes(serving: Client, upstream: Upstream) -> None:
    events = stream_events("openai/gpt-5.5")
    body = chat(stream=True)
    with httpx.stream("POST", serving.url + CHAT, json=body, timeout=PATIENCE) as answer:
        pieces = answer.iter_raw()
        first = next(pieces)
        assert first.decode() == events[0]
        upstream.more.set()
        rest = b"".join(pieces)
    assert (first + rest).decode() == "".join(events)
    assert answer.headers["content-type"] == "text/event-stream"


@pytest.mark.parametrize(
    "chunked",
    [pytest.param(False, marks=pytest.mark.scenario("serve: a body of two megabytes")),
     pytest.param(True, marks=pytest.mark.scenario("serve: two megabytes in chunks"))],
)  # fmt: skip
def test_a_large_body_is_decided_for(chunked: bool, serving: Client, upstream: Upstream) -> None:
    body = json.dumps(chat(padding="x" * 2_000_000)).encode()
    assert serving.ask(iter([body[:70_000], body[70_000:]]) if chunked else body).is_success
    assert upstream.latest.body == body.replace(TIER.encode(), b"openai/gpt-5.5")


@pytest.mark.parametrize(
    "chunked",
    [pytest.param(False, marks=pytest.mark.scenario("serve: a body above the bound: static pick")),
     pytest.param(True, marks=pytest.mark.scenario("serve: in chunks above the bound, too"))],
)  # fmt: skip
def test_a_body_above_the_bound_gets_the_static_pick(
    chunked: bool, serving: Client, upstream: Upstream, processor: ExtProc
) -> None:
    before = processor.count(why="too_large")
    body = json.dumps(chat(padding="x" * 17_000_000)).encode()
    half = len(body) // 2
    assert serving.ask(iter([body[:half], body[half:]]) if chunked else body).is_success
    # Envoy has chosen the route before its buffer is full.
    assert upstream.latest.headers["x-pointsman-model"] == STATIC_PICK
    assert upstream.latest.body == body.replace(TIER.encode(), STATIC_PICK.encode())
    assert processor.count(why="too_large", model_set="true") == before + 1


@pytest.mark.scenario("serve: above the bound with the model at the end: refused")
def test_a_body_above_the_bound_with_its_model_at_the_end_is_refused(
    serving: Client, upstream: Upstream, claude: Upstream
) -> None:
    assert serving.ask({"messages": ["x" * 17_000_000], "model": TIER}).status_code == 413
    assert not upstream.arrivals
    assert not claude.arrivals


@pytest.mark.scenario("shadow: every byte passes, the decision is recorded")
def test_shadow_changes_nothing(
    tmp_path: Path, service: Service, upstream: Upstream, claude: Upstream
) -> None:
    with (
        ext_proc(tmp_path, pointsman=service.address) as processor,
        example_envoy(
            tmp_path / "envoy",
            processor=processor.address,
            provider=upstream.url,
            provider_of_claude=claude.url,
        ) as url,
    ):
        client = Client(url)
        body = json.dumps(chat(), indent=3).encode()
        assert client.ask(body).is_success
        assert upstream.latest.body == body
        assert "x-pointsman-model" not in upstream.latest.headers
        line = service.decision(trace_id=client.trace)
        assert (line["routed_model"], line["resolved_model"]) == ("openai/gpt-5.5", STATIC_PICK)


@pytest.mark.scenario("the decision stands in the trace of an Envoy that traces")
def test_one_trace_holds_envoy_and_the_decision(
    tmp_path: Path, policy: dict[str, Any], collector: Collector, upstream: Upstream
) -> None:
    settings = collector.settings("pointsman-behind-envoy")
    with (
        pointsman_serve(tmp_path, policy=policy, environment=settings) as service,
        ext_proc(tmp_path, "--serve", *SLOW, pointsman=service.address) as processor,
        example_envoy(
            tmp_path / "envoy",
            processor=processor.address,
            provider=upstream.url,
            provider_of_claude=upstream.url,
            collector=collector.endpoint,
        ) as url,
    ):
        client = Client(url)
        assert client.ask(chat()).is_success
        decided = collector.span(
            lambda s: s.service == "pointsman-behind-envoy" and s.name.endswith("/RouteDecision"),
            what="the decision's span",
        )
        ingress = collector.span(
            lambda s: (s.service, s.name, s.trace) == ("edge", "ingress", client.trace),
            what="Envoy's span of the request",
        )
        assert collector.ancestors(decided, until=ingress)[-1] == ingress


@pytest.mark.scenario("the page's stand-in provider answers with the decided model")
def test_the_stand_in_provider_answers_with_the_decided_model(
    folder: Path, processor: ExtProc
) -> None:
    address = f"127.0.0.1:{free_port()}"
    command = (sys.executable, str(ROOT / "examples" / "provider.py"), "--listen", address)
    with (
        program(command, name="provider", folder=folder) as provider,
        example_envoy(
            folder / "stand-in",
            processor=processor.address,
            provider=address,
            provider_of_claude=address,
        ) as url,
    ):
        provider.said(r"listens on \S+")
        answer = Client(url).ask(chat()).json()
        assert answer["model"] == "openai/gpt-5.5"
        assert answer["choices"][0]["message"]["content"] == "This is openai/gpt-5.5."
        message = Client(url).ask(APIS["messages"][1], "/v1/messages").json()
        assert message["content"][0]["text"].startswith("This is ")


@pytest.mark.scenario("serve: Pointsman hangs, is killed, comes back")
def test_without_pointsman_the_static_pick_serves(
    tmp_path: Path, policy: dict[str, Any], upstream: Upstream, claude: Upstream
) -> None:
    with (
        pointsman_serve(tmp_path, policy=policy) as service,
        ext_proc(tmp_path, "--serve", "--timeout", "0.3", pointsman=service.address) as processor,
        example_envoy(
            tmp_path / "envoy",
            processor=processor.address,
            provider=upstream.url,
            provider_of_claude=claude.url,
        ) as url,
    ):
        client = Client(url)
        until(lambda: client.ask(chat()).json()["model"] == "openai/gpt-5.5", what="a decision")
        service.program.suspend()
        assert client.ask(chat()).json()["model"] == STATIC_PICK
        assert claude.latest.headers["x-pointsman-why"] == "fallback:deadline"
        service.program.kill()
        assert client.ask(chat()).json()["model"] == STATIC_PICK
        assert claude.latest.headers["x-pointsman-why"].startswith("fallback:")
        port = int(service.address.rpartition(":")[2])
        with pointsman_serve(tmp_path, policy=policy, port=port):
            until(lambda: client.ask(chat()).json()["model"] == "openai/gpt-5.5", what="decisions")


@pytest.mark.scenario("the processor hangs, is killed: Envoy passes requests as they came")
def test_without_the_processor_envoy_goes_on(
    tmp_path: Path, service: Service, upstream: Upstream, claude: Upstream
) -> None:
    body = json.dumps(chat()).encode()
    with (
        ext_proc(tmp_path, "--serve", *SLOW, pointsman=service.address) as processor,
        example_envoy(
            tmp_path / "envoy",
            processor=processor.address,
            provider=upstream.url,
            provider_of_claude=claude.url,
        ) as url,
    ):
        client = Client(url)
        assert client.ask(body).json()["model"] == "openai/gpt-5.5"
        for end in (processor.program.suspend, processor.program.kill):
            end()
            answer = client.ask(body, x_pointsman_model="anthropic/claude-opus-4.8")
            assert answer.json()["model"] == TIER
            assert upstream.latest.body == body
            assert "x-pointsman-model" not in upstream.latest.headers


@pytest.mark.scenario("serve: a stopping processor finishes what it has")
def test_a_processor_that_is_told_to_stop_ends_in_peace(tmp_path: Path, service: Service) -> None:
    with ext_proc(tmp_path, "--serve", pointsman=service.address) as processor:
        processor.program.stop()
        assert processor.program.child.returncode == 0
        assert "Traceback" not in processor.program.tail()


@pytest.mark.scenario("serve: a client that does not send its body gives its place up")
def test_a_client_that_does_not_send_its_body_keeps_nobody_out(
    tmp_path: Path, service: Service, upstream: Upstream, claude: Upstream
) -> None:
    one = ("--max-held-bytes", "16777216")  # room for one body of unknown length
    with (
        ext_proc(tmp_path, "--serve", *SLOW, *one, pointsman=service.address) as processor,
        example_envoy(
            tmp_path / "envoy",
            processor=processor.address,
            provider=upstream.url,
            provider_of_claude=claude.url,
        ) as url,
        socket.create_connection(("127.0.0.1", httpx.URL(url).port or 0), PATIENCE) as slow,
    ):
        slow.sendall(
            f"POST {CHAT} HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n"
            "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n".encode()
        )
        client = Client(url)
        until(lambda: client.ask(chat()).status_code == 200, what="room")
        assert slow.recv(1_024).startswith(b"HTTP/1.1 503 ")
        assert processor.count(why="busy") >= 1
