"""deploy/envoy as it stands, with a real Envoy in front of two real replicas."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import shutil
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import grpc
import httpx
import pytest
import yaml
from e2e.parts.callers import DEADLINE, calling
from e2e.parts.collector import Collector, Span
from e2e.parts.envoy import ROOT, Envoy, envoy, validate
from e2e.parts.pointsman import MorphApi, Service, pointsman_serve, policy_document
from e2e.parts.processes import until
from google.protobuf.json_format import ParseDict
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pointsman.v1 import (
    route_decision_pb2,
    routing_service_pb2_grpc,
    stream_route_decisions_pb2,
)
from support.certificates import Authority, Pair
from support.details import detail

pytestmark = pytest.mark.part("Envoy")

SHIPPED = ROOT / "deploy" / "envoy"
CLUSTER = "pointsman"
PURPOSES = {
    "provider": "openai",
    "model": "gpt-5.4",
    "profiles": {"cheap": {"model": "gpt-4o-mini"}},
    "routes": {"plan_create": {"profile": "cheap"}},
}
ROUTED = "openai/gpt-5.5"
ROUTE_DECISION = "pointsman.v1.RoutingService/RouteDecision"
SECRET = "wombat-7c0e"
QUESTION: dict[str, Any] = {
    "prompt": {"userPromptPrefix": f"Please guard the accessor of {SECRET} against null."},
    "caller": {"userId": "user-1", "sessionId": "session-1"},
    "routing": {
        "autoModel": "kilo-auto/frontier",
        "candidateModels": ["anthropic/claude-opus-4.8", "openai/gpt-5.5"],
        "resolvedModel": "anthropic/claude-opus-4.8",
    },
}


@dataclass(frozen=True)
class Front:
    """An Envoy with its replicas, and what a caller needs to reach it."""

    envoy: Envoy
    replicas: tuple[Service, ...]
    ca: Path
    tls: Pair
    """What the replicas show."""

    @property
    def address(self) -> str:
        return self.envoy.address("pointsman").replace("127.0.0.1", "localhost")

    def channel(self) -> grpc.Channel:
        credentials = grpc.ssl_channel_credentials(self.ca.read_bytes())
        return grpc.secure_channel(self.address, credentials)

    def http(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        trusted = ssl.create_default_context(cafile=str(self.ca))
        with httpx.Client(verify=trusted, timeout=30) as client:
            return client.request(method, f"https://{self.address}{path}", **arguments)

    def answered(self, replica: Service) -> int:
        """How many calls this replica has answered well, as Envoy counts them."""
        stats = self.envoy.endpoints(CLUSTER)[replica.address]["stats"]
        return next(int(s.get("value", 0)) for s in stats if s["name"] == "rq_success")

    def healthy(self, replica: Service) -> bool:
        """Whether Envoy sends it calls."""
        status = self.envoy.endpoints(CLUSTER)[replica.address]["health_status"]
        return not {"failed_active_health_check", "failed_outlier_check"} & status.keys()

    def until_it_answers(self, replica: Service, number: int = 20) -> None:
        wanted = self.answered(replica) + number
        until(lambda: self.answered(replica) >= wanted, what=f"calls for {replica.address}")

    def until_healthy(self, replica: Service, *, is_healthy: bool) -> None:
        until(
            lambda: self.healthy(replica) is is_healthy,
            what=f"{replica.address} to be {'in' if is_healthy else 'out'}",
        )


class Replicas(Protocol):
    """Starts a replica for a block, on a free port or on one that another had."""

    def __call__(
        self, *, tls: Pair, port: int | None = None
    ) -> AbstractContextManager[Service]: ...


@pytest.fixture(scope="module")
def replicas(folder: Path, morph: MorphApi, collector: Collector) -> Replicas:
    policy = policy_document(morph.url, mode="serve", llm=PURPOSES)
    settings = collector.settings("pointsman") | {"POINTSMAN_DRAIN": "3"}
    return partial(pointsman_serve, folder, policy=policy, environment=settings)


@contextlib.contextmanager
def front(folder: Path, replicas: Replicas, collector: Collector) -> Iterator[Front]:
    """Two replicas behind what deploy/envoy says, on addresses of this machine."""
    authority = Authority(folder)
    shown = authority.issue().put(folder)
    tls = authority.issue("pointsman", names="DNS:pointsman,DNS:localhost")
    with replicas(tls=tls) as first, replicas(tls=tls) as second:
        config = here(folder, (first.address, second.address), collector)
        with envoy(folder, config) as running:
            asked = Front(running, (first, second), shown.ca, tls)
            for replica in asked.replicas:
                asked.until_healthy(replica, is_healthy=True)
            yield asked


@pytest.fixture(scope="module")
def fronted(
    tmp_path_factory: pytest.TempPathFactory, replicas: Replicas, collector: Collector
) -> Iterator[Front]:
    """One that stays as it is."""
    with front(tmp_path_factory.mktemp("envoy"), replicas, collector) as running:
        yield running


@pytest.fixture
def fresh(tmp_path: Path, replicas: Replicas, collector: Collector) -> Iterator[Front]:
    """One to do harm to."""
    with front(tmp_path, replicas, collector) as running:
        yield running


def here(folder: Path, addresses: Sequence[str], collector: Collector) -> dict[str, Any]:
    """The shipped configuration with this machine's addresses and files."""
    config: dict[str, Any] = yaml.safe_load(shipped(folder))
    resources = config["static_resources"]
    resources["listeners"][0]["address"] = _socket("127.0.0.1:0")
    found = {CLUSTER: addresses, "otel-collector": [collector.endpoint.removeprefix("http://")]}
    for cluster in resources["clusters"]:
        [locality] = cluster["load_assignment"]["endpoints"]
        pairs = zip(locality["lb_endpoints"], found[cluster["name"]], strict=True)
        for endpoint, address in pairs:
            endpoint["endpoint"]["address"] = _socket(address)
    return config


def shipped(folder: Path) -> str:
    """deploy/envoy/envoy.yaml where `folder` is /etc/envoy, and has the certificate."""
    shutil.copy(SHIPPED / "pointsman.binpb", folder)
    text = (SHIPPED / "envoy.yaml").read_text()
    return text.replace("/etc/envoy/tls/", f"{folder}/").replace("/etc/envoy", str(folder))


def _socket(address: str) -> dict[str, Any]:
    host, _, port = address.rpartition(":")
    return {"socket_address": {"address": host, "port_value": int(port)}}


@pytest.mark.scenario("the shipped configuration is valid")
def test_the_shipped_configuration_is_valid(tmp_path: Path) -> None:
    Authority(tmp_path).issue().put(tmp_path)
    (tmp_path / "envoy.yaml").write_text(shipped(tmp_path))
    validate(tmp_path / "envoy.yaml")


@pytest.fixture(autouse=True)
def router(morph: MorphApi) -> MorphApi:
    """Morph's router, which says `gpt-5.5` until told otherwise."""
    morph.always("gpt-5.5")
    return morph


def ask(
    channel: grpc.Channel, question: dict[str, Any] = QUESTION, **metadata: str
) -> route_decision_pb2.RouteDecisionResponse:
    request = ParseDict(question, route_decision_pb2.RouteDecisionRequest())
    stub = routing_service_pb2_grpc.RoutingServiceStub(channel)
    return stub.RouteDecision(request, timeout=DEADLINE, metadata=tuple(metadata.items()))


@pytest.mark.scenario("gRPC over TLS goes to the replicas in turn")
def test_grpc_over_tls_goes_to_the_replicas_in_turn(fronted: Front) -> None:
    before = [fronted.answered(replica) for replica in fronted.replicas]
    with fronted.channel() as channel:
        for _ in range(20):
            assert ask(channel).serve_model == ROUTED
        health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
    assert health.status == health_pb2.HealthCheckResponse.SERVING
    after = [fronted.answered(replica) for replica in fronted.replicas]
    assert all(now - then >= 8 for now, then in zip(after, before, strict=True)), (before, after)


@pytest.mark.scenario("JSON: a decision, a batch, a resolution, a description")
def test_json_is_answered_like_grpc(fronted: Front) -> None:
    decision = fronted.http("POST", "/v1/route-decision", json=QUESTION)
    assert (decision.status_code, decision.json()["serveModel"]) == (200, ROUTED)
    asked = json.dumps(QUESTION)
    for name in ("userPromptPrefix", "userId", "sessionId", "autoModel", "candidateModels"):
        asked = asked.replace(name, re.sub("[A-Z]", lambda at: f"_{at[0].lower()}", name))
    snake = fronted.http("POST", "/v1/route-decision", content=asked)
    assert snake.json()["decision"]["candidateCount"] == 2
    batch = fronted.http("POST", "/v1/batch-route-decisions", json={"requests": [QUESTION] * 2})
    assert [r["response"]["serveModel"] for r in batch.json()["results"]] == [ROUTED] * 2
    purpose = {"purpose": "plan_create", "runId": "run-1"}
    assert fronted.http("POST", "/v1/resolve-route", json=purpose).json()["attempts"]
    assert fronted.http("GET", "/v1/describe-routing").json()["mode"] == "MODE_SERVE"


def each(scenario: str, cases: dict[str, tuple[Any, ...]]) -> list[Any]:
    """A row for each case."""
    return [
        pytest.param(*case, id=name, marks=pytest.mark.scenario(f"{scenario}: {name}"))
        for name, case in cases.items()
    ]


REFUSED: dict[str, tuple[Any, ...]] = {
    "a blank id": ({"caller": {"userId": " "}}, "caller.user_id"),
    "no prompt": ({"prompt": None}, "prompt"),
    "over 64 KiB": ({"requestedModel": "x" * 70_000}, "request"),
}


@pytest.mark.parametrize(("change", "field"), each("JSON: 400 names the field, as gRPC", REFUSED))
def test_a_refusal_names_the_field(fronted: Front, change: dict[str, Any], field: str) -> None:
    answer = fronted.http("POST", "/v1/route-decision", json=QUESTION | change)
    assert answer.status_code == 400
    [reason, bad] = answer.json()["details"]
    assert (reason["reason"], reason["domain"]) == ("INVALID_FIELD", "pointsman")
    assert bad["fieldViolations"][0]["field"] == field
    with fronted.channel() as channel, pytest.raises(grpc.RpcError) as refused:
        ask(channel, QUESTION | change)
    violations = detail(refused.value, error_details_pb2.BadRequest).field_violations
    assert violations[0].field == field


UNREAD: dict[str, tuple[Any, ...]] = {
    "broken JSON": (("POST", "/v1/route-decision", b'{"prompt": {'), 400, ""),
    "a wrong type": (
        ("POST", "/v1/route-decision", b'{"dryRun": "%b"}' % SECRET.encode()),
        400,
        "dry_run",
    ),
    "another path": (("POST", "/v1/decide", b"{}"), 404, "no such"),
    "another method": (("GET", "/v1/route-decision", None), 404, "no such"),
    "a parameter": (("GET", "/v1/describe-routing?tier=x", None), 400, "tier"),
}


@pytest.mark.parametrize(("sent", "status", "says"), each("JSON: refused in JSON", UNREAD))
def test_what_cannot_be_read_is_refused(
    fronted: Front, sent: tuple[str, str, bytes | None], status: int, says: str
) -> None:
    method, path, body = sent
    answer = fronted.http(method, path, content=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["status"] == status
    assert says in answer.json()["message"]


DEADLINES: dict[str, tuple[Any, ...]] = {
    "a second, where it names none": ({}, 30_000),
    "its own grpc-timeout": ({"grpc-timeout": "250m"}, 600),
}


@pytest.mark.parametrize(("headers", "delay"), each("JSON: a call has a deadline", DEADLINES))
def test_a_json_call_has_a_deadline(
    fronted: Front, router: MorphApi, headers: dict[str, str], delay: int
) -> None:
    router.script({"delay_ms": delay})
    asked = QUESTION | {"caller": {"userId": "user-1", "sessionId": f"silence of {delay}"}}
    answer = fronted.http("POST", "/v1/route-decision", json=asked, headers=headers).json()
    assert answer["decision"]["source"] == "SOURCE_LOCAL"
    assert answer["failures"] == [{"engine": "morph", "stage": "deadline"}]


@pytest.mark.parametrize(
    "over",
    each("one trace: caller, Envoy, Pointsman, no prompt", {"gRPC": ("gRPC",), "JSON": ("JSON",)}),
)
def test_the_trace_goes_through(fronted: Front, collector: Collector, over: str) -> None:
    trace, caller = secrets.token_hex(16), secrets.token_hex(8)
    header = {"traceparent": f"00-{trace}-{caller}-01"}
    if over == "gRPC":
        with fronted.channel() as channel:
            ask(channel, **header)
    else:
        assert fronted.http("POST", "/v1/route-decision", json=QUESTION, headers=header).is_success
    decision = collector.span(
        lambda s: s.trace == trace and s.name == ROUTE_DECISION and s.service == "pointsman",
        what=f"Pointsman's span of trace {trace}",
    )
    arrived = collector.span(
        lambda s: s.trace == trace and s.parent == caller, what="Envoy's span below the caller's"
    )
    above = collector.ancestors(decision, until=arrived)
    assert [(span.service, span.kind) for span in above] == [
        ("envoy", Span.CLIENT),
        ("envoy", Span.SERVER),
    ]
    until(lambda: trace in fronted.envoy.program.log.read_text(), what="the access log")
    assert SECRET not in fronted.envoy.program.log.read_text()
    assert not [s.name for s in collector.spans if s.trace == trace and SECRET in f"{s.attributes}"]


@pytest.mark.scenario("a stream outlives the deadline of a call")
def test_a_stream_outlives_the_deadline_of_a_call(fronted: Front) -> None:
    going_on = threading.Event()
    request = ParseDict(QUESTION, route_decision_pb2.RouteDecisionRequest())
    message = stream_route_decisions_pb2.StreamRouteDecisionsRequest

    def questions() -> Iterator[stream_route_decisions_pb2.StreamRouteDecisionsRequest]:
        yield message(correlation_id="first", request=request)
        going_on.wait(DEADLINE)
        yield message(correlation_id="second", request=request)

    with fronted.channel() as channel:
        stub = routing_service_pb2_grpc.RoutingServiceStub(channel)
        answers = stub.StreamRouteDecisions(questions())
        assert next(answers).correlation_id == "first"
        at = fronted.envoy.stat("server.uptime")
        until(lambda: fronted.envoy.stat("server.uptime") > at + 6, what="Envoy's clock to go on")
        going_on.set()
        assert next(answers).response.serve_model == ROUTED
        assert not list(answers)


@pytest.mark.scenario("a trace that the caller does not record is recorded nowhere")
def test_the_callers_word_on_recording_holds(fronted: Front, collector: Collector) -> None:
    traces = [secrets.token_hex(16) for _ in range(2)]
    with fronted.channel() as channel:
        for trace, flag in zip(traces, ("00", "01"), strict=True):
            ask(channel, traceparent=f"00-{trace}-{secrets.token_hex(8)}-{flag}")
    for service in ("envoy", "pointsman"):
        collector.span(
            lambda s, service=service: (s.trace, s.service) == (traces[1], service),
            what=f"{service}'s span of the later trace",
        )
    assert not [span for span in collector.spans if span.trace == traces[0]]


@pytest.mark.scenario("load: a replica is killed, no call fails; it comes back and is asked again")
def test_no_call_fails_when_a_replica_is_killed(fresh: Front, replicas: Replicas) -> None:
    killed, other = fresh.replicas
    with fresh.channel() as channel, calling(channel, QUESTION) as calls:
        fresh.until_it_answers(killed)
        fresh.until_it_answers(other)
        killed.program.kill()
        fresh.until_healthy(killed, is_healthy=False)
        calls.more(100)
        with replicas(tls=fresh.tls, port=int(killed.address.rpartition(":")[2])):
            fresh.until_healthy(killed, is_healthy=True)
            fresh.until_it_answers(killed)
    assert calls.failed == {}
    # Calls were on their way to it: those are what Envoy asked the other for.
    assert fresh.envoy.stat(f"cluster.{CLUSTER}.upstream_rq_retry_success") > 0


@pytest.mark.scenario("load: a replica hangs, no call fails; it goes on and is asked again")
def test_no_call_fails_when_a_replica_hangs(fresh: Front) -> None:
    hung, _ = fresh.replicas
    with fresh.channel() as channel, calling(channel, QUESTION) as calls:
        fresh.until_it_answers(hung)
        hung.program.suspend()
        fresh.until_healthy(hung, is_healthy=False)
        calls.more(100)
        hung.program.resume()
        fresh.until_healthy(hung, is_healthy=True)
        fresh.until_it_answers(hung)
    assert calls.failed == {}


@pytest.mark.scenario("load: a replica is stopped in order, no call fails or is asked twice")
def test_no_call_fails_when_a_replica_is_stopped(fresh: Front) -> None:
    stopped, _ = fresh.replicas
    with fresh.channel() as channel, calling(channel, QUESTION) as calls:
        fresh.until_it_answers(stopped)
        stopped.program.child.terminate()
        fresh.until_healthy(stopped, is_healthy=False)
        assert stopped.program.child.poll() is None  # it still answers what is on its way
        stopped.program.child.wait(30)
        calls.more(100)
    assert calls.failed == {}
    assert fresh.envoy.stat(f"cluster.{CLUSTER}.upstream_rq_retry") == 0


@pytest.mark.scenario("no replica is left: calls fail at once with UNAVAILABLE, JSON with 503")
def test_with_no_replica_left_calls_fail_at_once(fresh: Front) -> None:
    for replica in fresh.replicas:
        replica.program.kill()
    healthy = f"cluster.{CLUSTER}.membership_healthy"
    until(lambda: fresh.envoy.stat(healthy) == 0, what="Envoy to know that nobody is there")
    asked = fresh.envoy.stat(f"cluster.{CLUSTER}.upstream_rq_total")
    with fresh.channel() as channel, pytest.raises(grpc.RpcError) as refused:
        ask(channel)
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    assert refused.value.details() == "no healthy upstream"
    answer = fresh.http("POST", "/v1/route-decision", json=QUESTION)
    assert answer.status_code == 503
    assert answer.json() == {"status": 503, "message": "no healthy upstream"}
    assert fresh.envoy.stat(f"cluster.{CLUSTER}.upstream_rq_total") == asked
