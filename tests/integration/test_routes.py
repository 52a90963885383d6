"""`ResolveRoute` over a real socket: profiles, splits, refusals, reload, clients."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import pytest
import yaml
from google.protobuf.json_format import MessageToDict
from pointsman.v1 import describe_routing_pb2, route_decision_pb2
from pointsman.v1 import resolve_route_pb2 as pb
from pointsman_client import RoutingClient
from pointsman_client.cli.resolve import resolve as resolve_command
from support.purposes import ask, policy, refusal, resolve, until
from support.served import FRONTIER, Starter, policy_text, request


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
