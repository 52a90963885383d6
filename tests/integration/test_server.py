"""The server as gateways, probes and operators meet it."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pointsman.v1 import describe_routing_pb2
from pointsman.v1 import route_decision_pb2 as pb
from pointsman_server.engines.local import LocalEngine
from support.counted import in_flight
from support.details import detail
from support.served import Starter, policy_text, request

BURST = 4_000


async def test_a_burst_of_4000_concurrent_calls_loses_none(start: Starter) -> None:
    peer = await start()
    requests = [
        request(caller=pb.Caller(user_id="user-1", session_id=f"session-{n % 64}"))
        for n in range(BURST)
    ]
    answers = await asyncio.gather(*(peer.decide(r, timeout=60) for r in requests))
    assert {a.outcome for a in answers} == {pb.OUTCOME_ROUTED}
    assert len(answers) == BURST


async def test_calls_over_the_limit_are_refused_with_a_time_to_come_back(start: Starter) -> None:
    peer = await start(max_in_flight=1, policy=policy_text(), environment={})
    held = asyncio.Event()
    decider = peer.running.runtime.service().decider

    async def slow(*_: Any, **__: Any) -> Any:
        await held.wait()
        raise AssertionError("unreachable")

    decider.decide = slow  # type: ignore[method-assign]
    first = asyncio.create_task(peer.decide(request()))
    while not in_flight(peer.running.telemetry.metrics):  # noqa: ASYNC110  (nobody tells)
        await asyncio.sleep(0.01)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await peer.decide(request())
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert detail(refused.value, error_details_pb2.RetryInfo).retry_delay.ToMilliseconds() > 0
    assert detail(refused.value, error_details_pb2.ErrorInfo).reason == "OVERLOADED"
    # Whoever runs it can look meanwhile.
    asked = describe_routing_pb2.DescribeRoutingRequest()
    assert (await peer.stub.DescribeRouting(asked, timeout=10)).policy_version
    first.cancel()


async def test_health_is_told_overall_and_per_service_and_needs_no_token(
    start: Starter, tmp_path: Any
) -> None:
    peer = await start(tokens_file=_tokens(tmp_path))
    health = health_pb2_grpc.HealthStub(peer.channel)
    for service in ("", "pointsman.v1.RoutingService"):
        answer = await health.Check(health_pb2.HealthCheckRequest(service=service))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    with pytest.raises(grpc.aio.AioRpcError) as unknown:
        await health.Check(health_pb2.HealthCheckRequest(service="no.such.Service"))
    assert unknown.value.code() is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("header", [None, "Bearer wrong", "Basic abc", "Bearer "])
async def test_without_a_known_token_calls_are_unauthenticated(
    start: Starter, tmp_path: Any, header: str | None
) -> None:
    peer = await start(tokens_file=_tokens(tmp_path))
    metadata = [("authorization", header)] if header else None
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await peer.decide(request(), metadata=metadata)
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert detail(refused.value, error_details_pb2.ErrorInfo).reason == "INVALID_CREDENTIALS"


async def test_with_a_known_token_calls_are_answered(start: Starter, tmp_path: Any) -> None:
    peer = await start(tokens_file=_tokens(tmp_path))
    answer = await peer.decide(request(), metadata=[("authorization", "Bearer s3cret")])
    assert answer.outcome == pb.OUTCOME_ROUTED


async def test_every_bad_field_is_named_at_once(start: Starter) -> None:
    peer = await start()
    bad = request(
        caller=pb.Caller(user_id=" ", mode="   ", client_request_id=""),
        constraints=pb.Constraints(required_inputs=[99], denied_models=["x" * 257]),
        requested_model="m" * 300,
    )
    bad.prompt.api_kind = 77
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await peer.decide(bad)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    named = {v.field for v in detail(refused.value, error_details_pb2.BadRequest).field_violations}
    assert named == {
        "caller.user_id",
        "caller.mode",
        "caller.client_request_id",
        "constraints.required_inputs[0]",
        "constraints.denied_models[0]",
        "prompt.api_kind",
        "requested_model",
    }


async def test_a_request_over_64_kib_is_refused_as_a_whole(start: Starter) -> None:
    peer = await start()
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await peer.decide(request("x" * 70_000))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    [violation] = detail(refused.value, error_details_pb2.BadRequest).field_violations
    assert violation.field == "request"


async def test_describe_says_what_is_in_force_and_why_a_new_file_was_refused(
    start: Starter,
) -> None:
    peer = await start(policy=policy_text(engines={"order": ["morph", "local"]}))
    asked = describe_routing_pb2.DescribeRoutingRequest()
    before = await peer.stub.DescribeRouting(asked)
    assert before.mode == describe_routing_pb2.MODE_SHADOW
    assert [(e.name, e.state) for e in before.engines] == [
        ("morph", describe_routing_pb2.ENGINE_STATE_FLAG_OFF),
        ("local", describe_routing_pb2.ENGINE_STATE_READY),
    ]
    assert not before.reload_problems
    path = peer.log_file.parent / "policy-1.yaml"
    path.write_text("mode: sideways\n")
    assert await peer.running.watcher.reload() is False
    after = await peer.stub.DescribeRouting(asked)
    assert after.policy_version == before.policy_version
    assert "mode" in {p.path for p in after.reload_problems}


async def test_describe_warns_of_an_engine_that_is_switched_on_without_a_key(
    start: Starter,
) -> None:
    model = {"url": "http://127.0.0.1:1", "format": "systemone", "model": "m", "key_env": "NO_KEY"}
    engines = {"order": ["morph", "judge", "local"], "decision_models": {"judge": model}}
    environment = {
        "POINTSMAN_MORPH_ROUTER_ENABLED": "true",
        "POINTSMAN_DECISION_MODEL_ENABLED": "true",
    }
    peer = await start(policy=policy_text(engines=engines), environment=environment)
    asked = describe_routing_pb2.DescribeRoutingRequest()
    found = await peer.stub.DescribeRouting(asked)
    told = {w.path: w.message for w in found.warnings}
    assert "MORPH_API_KEY holds no key" in told["engines.morph"]
    assert "NO_KEY holds no key" in told["engines.decision_models.judge"]
    states = describe_routing_pb2.EngineState
    assert {engine.name: states.Name(engine.state) for engine in found.engines} == {
        "morph": "ENGINE_STATE_NO_KEY",
        "judge": "ENGINE_STATE_NO_KEY",
        "local": "ENGINE_STATE_READY",
    }

    environment = {"POINTSMAN_MORPH_ROUTER_ENABLED": "true", "MORPH_API_KEY": "key"}
    peer = await start(policy=policy_text(engines=engines), environment=environment)
    found = await peer.stub.DescribeRouting(asked)
    assert not {w.path for w in found.warnings} & {"engines.morph", "engines.decision_models.judge"}
    assert {engine.name: states.Name(engine.state) for engine in found.engines} == {
        "morph": "ENGINE_STATE_READY",
        "judge": "ENGINE_STATE_FLAG_OFF",
        "local": "ENGINE_STATE_READY",
    }


async def test_a_reload_changes_what_the_next_call_gets_and_keeps_the_cache(
    start: Starter,
) -> None:
    peer = await start()
    await peer.decide(request())
    path = peer.log_file.parent / "policy-1.yaml"
    path.write_text(path.read_text().replace("mode: shadow", "mode: serve"))
    assert await peer.running.watcher.reload() is True
    answer = await peer.decide(request())
    assert answer.decision.cached
    assert not answer.shadow
    assert answer.serve_model == answer.decision.model
    assert answer.policy_version == peer.running.runtime.rules.version


async def test_calls_inside_end_before_the_server_stops(start: Starter) -> None:
    peer = await start(grace=5)
    decider = peer.running.runtime.service().decider
    decide, inside, go = decider.decide, asyncio.Event(), asyncio.Event()

    async def slow(*arguments: Any, **named: Any) -> Any:
        inside.set()
        await go.wait()
        return await decide(*arguments, **named)

    decider.decide = slow  # type: ignore[method-assign]
    call = asyncio.create_task(peer.decide(request()))
    await inside.wait()
    closing = asyncio.ensure_future(peer.stop())
    await asyncio.sleep(0.05)
    go.set()
    answer = await call
    await closing
    assert answer.outcome == pb.OUTCOME_ROUTED


async def test_an_engine_that_raises_reaches_the_caller_neither_as_status_nor_as_text(
    start: Starter, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    async def broken(*_: Any) -> Any:
        raise RuntimeError("engine " + "CAN" + "ARY")  # the log quotes source lines

    monkeypatch.setattr(LocalEngine, "decide", broken)
    peer = await start()
    answer = await peer.decide(request())
    assert answer.outcome == pb.OUTCOME_FAILED
    assert answer.serve_model == "anthropic/claude-opus-4.8"
    assert [(f.engine, f.stage) for f in answer.failures] == [("local", "unexpected_error")]
    assert "CANARY" not in str(answer) + caplog.text


async def test_a_bug_is_internal_with_a_fixed_text(start: Starter, caplog: Any) -> None:
    peer = await start()

    async def broken(*_: Any, **__: Any) -> Any:
        raise KeyError("the prompt: " + "CAN" + "ARY")  # the log quotes source lines

    peer.running.runtime.service().decider.decide = broken  # type: ignore[method-assign]
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await peer.decide(request())
    assert refused.value.code() is grpc.StatusCode.INTERNAL
    assert refused.value.details() == "internal error"
    assert "CANARY" not in caplog.text
    assert "KeyError" in caplog.text


def _tokens(folder: Any) -> Any:
    path = folder / "tokens"
    path.write_text(f"gateway {hashlib.sha256(b's3cret').hexdigest()}\n")
    return path
