"""`ResolveRoute` over a real socket: purposes, tiers, refusals, reload, and what is recorded."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any

import grpc
import httpx
import pytest
import yaml
from google.protobuf.json_format import MessageToDict
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from pointsman.v1 import describe_routing_pb2, route_decision_pb2
from pointsman.v1 import resolve_route_pb2 as pb
from pointsman_client import RoutingClient
from pointsman_client.cli.resolve import resolve as resolve_command
from support.otlp_sink import OtlpSink, grpc_collector
from support.served import CATALOG, FRONTIER, Peer, Starter, policy_text, request

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


async def test_a_purpose_resolves_to_its_profile_with_a_reference_to_its_key(
    start: Starter,
) -> None:
    peer = await start(policy=policy())

    answer = await resolve(peer, ask("plan_create"))

    assert MessageToDict(answer, preserving_proto_field_name=True) == {
        "purpose": "plan_create",
        "run_id": "r-1",
        "attempts": [
            {
                "profile": "reasoning",
                "provider": "anthropic",
                "model": "claude-opus-4-6",
                "endpoint": "https://api.anthropic.com",
                "parameters": {"temperature": 0.2},
                "credential_ref": "env:CLAUDE_API_KEY",
                "share": 1.0,
            }
        ],
        "eligible_errors": [
            "timeout", "connection", "http_408", "http_409", "http_425", "http_429", "http_5xx",
            "unusable_response",
        ],
        "policy_version": peer.running.runtime.rules.version,
    }  # fmt: skip


async def test_attempts_come_in_order_and_one_run_keeps_its_first(start: Starter) -> None:
    peer = await start(policy=policy())
    orders = {}
    for n in range(60):
        found = [await resolve(peer, ask("main_loop", f"r-{n}")) for _ in range(2)]
        orders[n], again = ([a.profile for a in f.attempts] for f in found)
        assert orders[n] == again

    assert {tuple(o) for o in orders.values()} == {
        ("default", "cheap", "reasoning"),
        ("cheap", "default", "reasoning"),
    }
    answer = await resolve(peer, ask("main_loop"))
    assert {a.profile: a.share for a in answer.attempts} == {
        "default": 0.75, "cheap": 0.25, "reasoning": 0.0,
    }  # fmt: skip


async def test_two_replicas_split_alike(start: Starter) -> None:
    one, other = await start(policy=policy()), await start(policy=policy())

    for n in range(30):
        first, second = [await resolve(p, ask("main_loop", f"r-{n}")) for p in (one, other)]
        assert [a.profile for a in first.attempts] == [a.profile for a in second.attempts]


async def test_an_override_replaces_route_and_split(start: Starter) -> None:
    peer = await start(policy=policy())

    answer = await resolve(peer, ask("addressing", profile_override="reasoning"))

    assert [a.profile for a in answer.attempts] == ["reasoning", "default"]


@pytest.mark.parametrize(
    ("request_", "status", "reason", "fields"),
    [
        (ask("plan_creat"), "NOT_FOUND", "UNKNOWN_PURPOSE", set()),
        (ask("main_loop", profile_override="nope"), "NOT_FOUND", "UNKNOWN_PROFILE", set()),
        (ask(""), "INVALID_ARGUMENT", "INVALID_FIELD", {"purpose"}),
        (
            pb.ResolveRouteRequest(profile_override=" ", run_id="x" * 257),
            "INVALID_ARGUMENT",
            "INVALID_FIELD",
            {"purpose", "run_id", "profile_override"},
        ),
        (ask("review"), "INVALID_ARGUMENT", "INVALID_FIELD", {"prompt", "caller"}),
        (
            ask("review", prompt=route_decision_pb2.Prompt(), resolved_model=""),
            "INVALID_ARGUMENT",
            "INVALID_FIELD",
            {"caller", "resolved_model"},
        ),
        (
            ask(
                "review",
                prompt=route_decision_pb2.Prompt(),
                caller=route_decision_pb2.Caller(user_id="u"),
            ),
            "INVALID_ARGUMENT",
            "INVALID_FIELD",
            {"candidate_models"},
        ),
    ],
    ids=lambda case: case if isinstance(case, str) else "",
)
async def test_what_cannot_be_resolved_is_refused_by_name(
    start: Starter, request_: Any, status: str, reason: str, fields: set[str]
) -> None:
    peer = await start(policy=policy())

    code, why, bad = await refusal(peer, request_)

    assert (code.name, why, bad) == (status, reason, fields)


async def test_a_file_without_llm_serves_no_purpose(start: Starter) -> None:
    peer = await start(policy=policy_text())

    assert (await refusal(peer, ask("main_loop")))[1] == "UNKNOWN_PROFILE"


async def test_a_tier_is_decided_and_its_ranking_are_the_attempts(start: Starter) -> None:
    peer = await start(policy=policy(mode="serve"))

    answer = await resolve(peer, tiered())

    decision = answer.decision.decision
    assert answer.decision.outcome == route_decision_pb2.OUTCOME_ROUTED
    models = [a.model for a in answer.attempts]
    assert models == [decision.model, *decision.fallback_models, "gpt-4o-mini"]
    assert sorted(models[:-1]) == sorted(FRONTIER)
    assert answer.attempts[0].model == answer.decision.serve_model
    assert answer.attempts[0].provider == decision.model.partition("/")[0]


async def test_in_shadow_a_tier_s_first_attempt_is_the_caller_s_own_pick(start: Starter) -> None:
    peer = await start(policy=policy(mode="shadow"))

    answer = await resolve(peer, tiered(resolved_model=FRONTIER[2]))

    assert answer.decision.shadow
    assert answer.attempts[0].model == FRONTIER[2]
    assert sorted(a.model for a in answer.attempts[:-1]) == sorted(FRONTIER)


async def test_a_tier_s_decision_is_that_of_route_decision(start: Starter) -> None:
    peer = await start(policy=policy(mode="serve"))
    asked = tiered(resolved_model=FRONTIER[0])

    resolved = await resolve(peer, asked)
    decided = await peer.decide(
        route_decision_pb2.RouteDecisionRequest(
            prompt=asked.prompt,
            caller=asked.caller,
            routing=route_decision_pb2.RoutingContext(
                auto_model="kilo-auto/frontier",
                candidate_models=FRONTIER,
                resolved_model=FRONTIER[0],
            ),
        )
    )

    assert decided.decision.cached
    assert decided.decision.model == resolved.decision.decision.model
    assert decided.decision.ranking == resolved.decision.decision.ranking


async def test_a_later_attempt_that_served_holds_the_conversation_to_its_provider(
    start: Starter,
) -> None:
    peer = await start(policy=policy(mode="serve"))
    fenced = route_decision_pb2.Constraints(keep_provider=True)
    await resolve(peer, tiered())

    served = next(name for name in FRONTIER if name.startswith("openai/"))
    answer = await resolve(peer, tiered(incumbent_model=served, constraints=fenced))

    assert answer.attempts[0].model == served
    assert (await refusal(peer, tiered(incumbent_model="")))[2] == {"incumbent_model"}


@pytest.mark.parametrize(
    "name", ["gpt-5.5", "openai/gpt-5.5", "gpt-5-5-2026", "openai/gpt-5-5-2026"]
)
async def test_an_attempt_that_served_may_be_named_as_its_profile_has_it(
    start: Starter, name: str
) -> None:
    catalog = CATALOG | {"openai/gpt-5.5": {"router_id": "gpt-5-5-2026"}}
    peer = await start(policy=policy(mode="serve", catalog=catalog))
    fenced = route_decision_pb2.Constraints(keep_provider=True)

    answer = await resolve(peer, tiered(incumbent_model=name, constraints=fenced))

    assert answer.attempts[0].model == "openai/gpt-5.5"


async def test_reload_and_set_change_routes_and_a_bad_file_does_not(start: Starter) -> None:
    peer = await start(policy=policy(), reload_interval=0.02)
    path = peer.running.config.path
    assert path is not None

    async def serves(profile: str) -> None:
        await until(lambda: routes()["plan_create"].candidates[0].profile == profile)
        assert (await resolve(peer, ask("plan_create"))).attempts[0].profile == profile

    def routes() -> Any:
        return peer.running.runtime.rules.llm.routes

    document = yaml.safe_load(path.read_text())
    document["llm"]["routes"]["plan_create"] = "cheap"
    path.write_text(yaml.safe_dump(document))
    await serves("cheap")

    document["llm"]["routes"]["plan_create"] = "nope"
    path.write_text(yaml.safe_dump(document))
    await until(lambda: peer.running.watcher.state.last_problems)
    assert (await resolve(peer, ask("plan_create"))).attempts[0].profile == "cheap"

    peer.running.config.set("llm.routes.plan_create", "reasoning")
    await serves("reasoning")


async def test_the_environment_sets_values_over_the_file(start: Starter) -> None:
    variable = {"POINTSMAN_POLICY__LLM__ROUTES__PLAN_CREATE": "cheap"}
    peer = await start(policy=policy(), environment=variable)

    assert (await resolve(peer, ask("plan_create"))).attempts[0].profile == "cheap"


async def test_describe_lists_purposes_and_profiles(start: Starter) -> None:
    peer = await start(policy=policy())

    answer = await peer.stub.DescribeRouting(describe_routing_pb2.DescribeRoutingRequest())

    purposes = {p.name: p for p in answer.purposes}
    assert set(purposes) == {
        "main_loop", "addressing", "heartbeat", "plan_create", "memory_draft", "review",
    }  # fmt: skip
    split = purposes["main_loop"]
    assert [(c.profile, c.share) for c in split.candidates] == [("default", 0.75), ("cheap", 0.25)]
    assert list(split.fallback_profiles) == ["reasoning"]
    assert purposes["review"].tier == "kilo-auto/frontier"
    assert [(p.name, p.model) for p in answer.profiles] == [
        ("cheap", "gpt-4o-mini"), ("default", "gpt-5.4"), ("reasoning", "claude-opus-4-6"),
    ]  # fmt: skip


async def test_a_resolution_is_on_a_span_in_the_metrics_and_in_the_log(start: Starter) -> None:
    sink = OtlpSink()
    async with grpc_collector(sink) as url:
        peer = await start(
            policy=policy(),
            environment={
                "OTEL_EXPORTER_OTLP_ENDPOINT": url,
                "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
            },
        )
        await resolve(peer, ask("plan_create", "the-run"))
        await resolve(peer, tiered("the-run"))
        async with httpx.AsyncClient() as client:
            page = (await client.get(f"http://127.0.0.1:{peer.running.metrics_port}/metrics")).text
        await peer.stop()
        spans = str(sink.spans)
    lines = [json.loads(line) for line in peer.log_file.read_text().splitlines()]
    first, second = [line for line in lines if line["event"] == "llm_route_resolved"]

    assert (first["purpose"], first["profile"], first["attempts"]) == (
        "plan_create",
        "reasoning",
        1,
    )
    assert (second["purpose"], second["tier"]) == ("review", "kilo-auto/frontier")
    assert second["decision_id"] in {line.get("decision_id") for line in lines if line != second}
    assert first["run_hash"] == second["run_hash"]
    assert "RoutingService/ResolveRoute" in spans
    assert "pointsman.purpose" in spans
    counted = [
        line for line in page.splitlines() if line.startswith("pointsman_resolutions_total{")
    ]
    assert any('purpose="plan_create"' in line for line in counted)
    assert any('purpose="review"' in line for line in counted)
    assert "pointsman_resolution_duration" in page
    assert "the-run" not in spans + page + peer.log_file.read_text()


async def test_the_client_resolves(start: Starter) -> None:
    peer = await start(policy=policy(mode="serve"))
    async with RoutingClient(f"127.0.0.1:{peer.running.port}", timeout=10) as client:
        route = await client.resolve("addressing", "r-1")
        decided = await client.resolve(
            "review", "r-1", prompt="Rename it.", user_id="u", candidates=FRONTIER
        )
        described = await client.describe()

    assert [a.profile for a in route.attempts] == ["cheap", "default"]
    assert route.attempts[0].credential_ref == "env:OPENAI_API_KEY"
    assert decided.decision is not None
    assert decided.attempts[0].model == decided.decision.serve_model
    assert len(described.purposes) == 6


async def test_the_command_resolves(start: Starter, capsys: pytest.CaptureFixture[str]) -> None:
    peer = await start(policy=policy())
    address = ["--address", f"127.0.0.1:{peer.running.port}", "--timeout", "10"]

    async def run(*arguments: str) -> tuple[int, str, str]:
        status = await asyncio.to_thread(resolve_command, [*arguments, *address])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    status, out, _ = await run("plan_create", "--run-id", "r-1")
    assert status == 0
    assert "claude-opus-4-6" in out
    assert "env:CLAUDE_API_KEY" in out

    status, out, _ = await run("main_loop", "--run-id", "r-1", "--profile", "cheap", "--json")
    assert [a["profile"] for a in json.loads(out)["attempts"]] == ["cheap", "reasoning"]

    status, _, err = await run("plan_creat", "--run-id", "r-1")
    assert status == 3
    assert "no such purpose" in err

    status, _, err = await run("review", "--run-id", "r-1")
    assert status == 3
    assert "prompt: is required" in err


CANARIES = {
    name: f"canary{number:02d}{name.lower().replace('_', '')}zq"
    for number, name in enumerate(
        ("OPENAI_API_KEY", "CLAUDE_API_KEY", "GATEWAY_TOKEN", "AWS_SECRET", "RUN", "PURPOSE",
         "PROFILE", "LITERAL")
    )
}  # fmt: skip


async def test_no_secret_comes_out_anywhere(start: Starter, caplog: Any, capfd: Any) -> None:
    """The variables hold secrets, here; and no answer, log, span, metric or error has one."""
    caplog.set_level("DEBUG")
    secrets = {k: v for k, v in CANARIES.items() if k not in {"RUN", "PURPOSE", "PROFILE"}}
    llm = {
        **LLM,
        "headers": {"Authorization": "Bearer ${GATEWAY_TOKEN}"},
        "bedrock": {"aws_secret": "${AWS_SECRET}"},
    }
    sink = OtlpSink()
    async with grpc_collector(sink) as url:
        peer = await start(
            policy=policy(llm=llm),
            environment={
                **secrets,
                "OTEL_EXPORTER_OTLP_ENDPOINT": url,
                "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
                "OTEL_METRIC_EXPORT_INTERVAL": "100",
            },
            reload_interval=0.02,
        )
        answers, errors = [], []
        for purpose in ("plan_create", "addressing", "main_loop", "heartbeat"):
            await resolve(peer, ask(purpose, CANARIES["RUN"]))
            full = await resolve(peer, ask(purpose))
            answers.append(str(full) + str(MessageToDict(full)))
        answers.append(str(await peer.stub.DescribeRouting(
            describe_routing_pb2.DescribeRoutingRequest()
        )))  # fmt: skip
        for bad in (
            ask(CANARIES["PURPOSE"]),
            ask("main_loop", profile_override=CANARIES["PROFILE"]),
            ask("x" * 300, CANARIES["RUN"]),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await resolve(peer, bad)
            errors.append(f"{refused.value.details()} {refused.value.trailing_metadata()}")
        path = peer.running.config.path
        assert path is not None
        document = yaml.safe_load(path.read_text())
        document["llm"]["api_key"] = CANARIES["LITERAL"]
        document["llm"]["model"] = "${CLAUDE_API_KEY}"
        path.write_text(yaml.safe_dump(document))
        await until(lambda: peer.running.watcher.state.last_problems)
        problems = str(peer.running.watcher.state.last_problems)
        answers.append(str(await peer.stub.DescribeRouting(
            describe_routing_pb2.DescribeRoutingRequest()
        )))  # fmt: skip
        async with httpx.AsyncClient() as client:
            page = (await client.get(f"http://127.0.0.1:{peer.running.metrics_port}/metrics")).text
        await peer.stop()
        spans, metrics = str(sink.spans), str(sink.metrics)
    output = capfd.readouterr()
    everywhere = {
        "answers": "\n".join(answers),
        "errors": "\n".join(errors),
        "problems": problems,
        "log": peer.log_file.read_text(),
        "service log": caplog.text,
        "stdout": output.out,
        "stderr": output.err,
        "spans": spans,
        "metrics": metrics + page,
    }
    assert "env:CLAUDE_API_KEY" in everywhere["answers"]
    assert "Bearer ${GATEWAY_TOKEN}" in everywhere["answers"]
    assert "llm.api_key" in problems
    assert "llm_route_resolved" in everywhere["log"]
    assert "pointsman.purpose" in spans
    for place, text in everywhere.items():
        assert not [name for name, canary in CANARIES.items() if canary in text], place


async def test_serve_takes_set_and_refuses_what_does_not_hold(tmp_path: Any) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(policy(decision_log={"stdout": False}))

    async def serve(*assignments: str) -> asyncio.subprocess.Process:
        settings = ["--listen", "127.0.0.1:0", "--admin-listen", "", "--http-listen", "",
                    "--metrics-listen", "",
                    "--policy-file", str(path)]  # fmt: skip
        chosen = [word for each in assignments for word in ("--set", each)]
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "pointsman_server", "serve", *settings, *chosen,
            stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL,
        )  # fmt: skip

    child = await serve("llm.routes.plan_create=cheap")
    assert child.stderr is not None
    try:
        while b"serving on" not in (line := await child.stderr.readline()):
            assert line, "the server ended"
        address = line.decode().partition("serving on ")[2].split()[0]
        async with RoutingClient(address, timeout=10) as client:
            route = await client.resolve("plan_create", "r-1")
    finally:
        child.terminate()
        await child.communicate()
    assert [a.profile for a in route.attempts] == ["cheap"]

    child = await serve("llm.routes.plan_create=nope", "serve_percent=101")
    _, complaint = await child.communicate()
    assert child.returncode == 2
    assert b"llm.routes.plan_create: there is no profile `nope`" in complaint
    assert b"serve_percent: must be a number" in complaint


async def test_a_policy_file_of_purposes_alone_resolves_them_and_skips_tiers(
    start: Starter,
) -> None:
    text = policy_text(
        llm={
            "purposes": ["summarise"],
            "profiles": {"fast": {"provider": "openai", "model": "gpt-5-mini"}},
            "routes": {"summarise": {"candidates": [{"profile": "fast", "weight": 1}]}},
        }
    )
    alone = {k: v for k, v in yaml.safe_load(text).items() if k in {"llm", "engines"}}
    peer = await start(policy=yaml.safe_dump(alone))
    asked = pb.ResolveRouteRequest(purpose="summarise", run_id="r")
    found = await peer.stub.ResolveRoute(asked, timeout=10)
    assert [a.profile for a in found.attempts] == ["fast"]
    decided = await peer.decide(request())
    assert decided.outcome == route_decision_pb2.OUTCOME_SKIPPED
    assert decided.reason == route_decision_pb2.REASON_UNKNOWN_TIER
    assert decided.serve_model == "anthropic/claude-opus-4.8"
