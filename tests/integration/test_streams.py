"""`StreamRouteDecisions` as clients in any language meet it, over a real socket."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from pointsman.v1 import route_decision_pb2 as pb
from pointsman.v1 import stream_route_decisions_pb2 as stream_pb
from pointsman_server.telemetry.metrics.catalog import DECISIONS
from pointsman_server.transport.security.bearer_auth import token_hash
from pointsman_server.transport.wire_parsing import REQUEST_BYTES
from support.counted import counted
from support.details import detail
from support.eventually import eventually
from support.served import Peer, Starter, policy_text, request
from support.stream_calls import PATH, Gate, ids, item, open_calls, read, rest, slow
from support.ways import refusal

MANY = 4_000


# ---------------------------------------------------------------- answers


async def test_answers_come_as_they_are_ready_and_a_slow_one_holds_up_nobody(
    start: Starter,
) -> None:
    peer = await start()
    gate = Gate(peer)
    call = peer.stub.StreamRouteDecisions()
    await call.write(item("slow", slow()))
    for name in ("a", "b", "c"):
        await call.write(item(name))
    assert sorted(ids([await read(call) for _ in range(3)])) == ["a", "b", "c"]
    gate.open.set()
    last = await read(call)
    assert (last.correlation_id, last.response.outcome) == ("slow", pb.OUTCOME_ROUTED)


async def test_a_client_that_has_no_more_to_ask_gets_what_is_in_flight_and_then_ok(
    start: Starter,
) -> None:
    peer = await start()
    gate = Gate(peer)
    call = peer.stub.StreamRouteDecisions()
    await call.write(item("slow", slow()))
    await call.write(item("fast"))
    await call.done_writing()
    assert (await read(call)).correlation_id == "fast"
    gate.open.set()
    assert ids(await rest(call)) == ["slow"]
    assert await call.code() is grpc.StatusCode.OK


async def test_turns_of_one_conversation_in_flight_at_once_leave_it_on_one_of_their_models(
    start: Starter,
) -> None:
    """They meet the same slot; the conversation goes on with the model of the last one to end."""
    peer = await start(policy=policy_text(mode="serve", serve_percent=100))
    call = peer.stub.StreamRouteDecisions()
    texts = {"easy": "Rename foo to bar.", "hard": "Prove that this queue is linearizable."}
    for name, text in texts.items():
        await call.write(item(name, request(text)))
    await call.done_writing()
    answers = {a.correlation_id: a.response for a in await rest(call)}
    assert answers.keys() == texts.keys()
    for answer in answers.values():
        assert answer.outcome == pb.OUTCOME_ROUTED
        assert answer.serve_model == answer.decision.model
    probe = request(texts["easy"])
    probe.prompt.max_output_tokens = 1
    after = await peer.decide(probe)
    assert after.decision.sticky
    assert after.serve_model in {a.serve_model for a in answers.values()}


async def test_4000_decisions_at_once_on_one_stream_lose_none(start: Starter) -> None:
    peer = await start()
    call = peer.stub.StreamRouteDecisions()

    async def ask() -> None:
        for number in range(MANY):
            caller = pb.Caller(session_id=f"session-{number % 64}")
            await call.write(item(str(number), request(caller=caller)))
        await call.done_writing()

    asking = asyncio.create_task(ask())
    answers = await rest(call)
    await asking
    assert sorted(map(int, ids(answers))) == list(range(MANY))
    assert {a.response.outcome for a in answers} == {pb.OUTCOME_ROUTED}


async def test_one_correlation_id_twice_is_answered_twice(start: Starter) -> None:
    peer = await start()
    call = peer.stub.StreamRouteDecisions()
    await call.write(item("same"))
    await call.write(item("same"))
    await call.done_writing()
    assert ids(await rest(call)) == ["same", "same"]


# ---------------------------------------------------------------- refusals

BLANK = pb.RouteDecisionRequest(prompt=pb.Prompt(), caller=pb.Caller(user_id=" "))
LARGE, LARGER = (request(caller=pb.Caller(user_agent="a" * n * REQUEST_BYTES)) for n in (1, 9))


@pytest.mark.parametrize(
    ("wire", "name", "path"),
    [
        (item("x", BLANK).SerializeToString(), "x", "caller.user_id"),
        (item("x", LARGE).SerializeToString(), "x", "request"),
        (item("x", LARGER).SerializeToString(), "x", "request"),
        (item("x", tracestate="t" * 9 * REQUEST_BYTES).SerializeToString(), "", "request"),
        (b"\x0a\x01x", "x", "request"),
        (item("").SerializeToString(), "", "correlation_id"),
        (item("x" * 65).SerializeToString(), "", "correlation_id"),
        (b"\xff\xff", "", "request"),
    ],
    ids=[
        "blank user",
        "too large",
        "larger",
        "large beside the request",
        "no request",
        "no id",
        "id too long",
        "no message",
    ],
)
async def test_a_bad_request_is_answered_by_its_status_and_ends_nothing(
    start: Starter, wire: bytes, name: str, path: str
) -> None:
    peer = await start()
    call = peer.channel.stream_stream(
        PATH, response_deserializer=stream_pb.StreamRouteDecisionsResponse.FromString
    )()
    await call.write(item("before").SerializeToString())
    assert (await read(call)).HasField("response")
    await call.write(wire)
    refused = await read(call)
    assert refused.correlation_id == name
    error = refusal(refused.status)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert [v.field for v in detail(error, error_details_pb2.BadRequest).field_violations] == [path]
    assert detail(error, error_details_pb2.ErrorInfo).reason == "INVALID_FIELD"
    await call.write(item("after").SerializeToString())
    assert (await read(call)).HasField("response")


async def test_the_gate_counts_decisions_and_refuses_one_not_the_stream(start: Starter) -> None:
    peer = await start(max_in_flight=1)
    gate = Gate(peer)
    call = peer.stub.StreamRouteDecisions()
    await call.write(item("first", slow("1")))
    await eventually(lambda: gate.inside)
    await call.write(item("second", slow("2")))
    refused = await read(call)
    error = refusal(refused.status)
    assert (refused.correlation_id, error.code()) == ("second", grpc.StatusCode.RESOURCE_EXHAUSTED)
    assert detail(error, error_details_pb2.RetryInfo).retry_delay.ToMilliseconds() > 0
    gate.open.set()
    assert (await read(call)).correlation_id == "first"
    assert open_calls(peer) == 0


async def test_a_decision_whose_time_has_passed_is_refused_and_leaves_the_gate(
    start: Starter,
) -> None:
    peer = await start()
    gate = Gate(peer)
    call = peer.stub.StreamRouteDecisions()
    await call.write(item("late", slow(), timeout_ms=1))
    refused = await read(call)
    error = refusal(refused.status)
    assert (refused.correlation_id, error.code()) == ("late", grpc.StatusCode.DEADLINE_EXCEEDED)
    assert detail(error, error_details_pb2.ErrorInfo).reason == "TOO_LATE"
    assert (open_calls(peer), gate.cancelled) == (0, 1)


async def test_a_bug_is_internal_with_a_fixed_text_for_its_decision_alone(
    start: Starter, caplog: Any
) -> None:
    peer = await start()
    service: Any = peer.running.runtime.service()

    def broken(_message: Any, _span: Any) -> Any:
        raise KeyError("the prompt: " + "CAN" + "ARY")  # the log quotes source lines

    whole, service.fast_path.answer = service.fast_path.answer, broken
    call = peer.stub.StreamRouteDecisions()
    await call.write(item("x"))
    refused = await read(call)
    assert (refused.status.code, refused.status.message) == (13, "internal error")
    assert "CANARY" not in caplog.text + str(refused)
    service.fast_path.answer = whole
    await call.write(item("y"))
    assert (await read(call)).HasField("response")


async def test_a_stream_without_a_token_is_refused_before_it_asks(
    start: Starter, tmp_path: Any
) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("gateway " + "0" * 64 + "\n")
    peer = await start(tokens_file=tokens)
    call = peer.stub.StreamRouteDecisions()
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await read(call)
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert detail(refused.value, error_details_pb2.ErrorInfo).reason == "INVALID_CREDENTIALS"


async def test_a_token_that_is_taken_out_ends_its_streams_at_their_next_request_and_no_other(
    start: Starter, tmp_path: Any
) -> None:
    tokens = tmp_path / "tokens"
    lines = {name: f"{name} {token_hash(name)}\n" for name in ("one", "two")}
    tokens.write_text(lines["one"] + lines["two"])
    peer = await start(tokens_file=tokens)
    gate = Gate(peer)
    leaves, stays = (
        peer.stub.StreamRouteDecisions(metadata=[("authorization", f"Bearer {name}")])
        for name in lines
    )
    for call in (leaves, stays):
        await call.write(item("first"))
        assert (await read(call)).HasField("response")
    await leaves.write(item("taken", slow()))
    await eventually(lambda: gate.inside == 1)
    tokens.with_name("new").write_text(lines["two"])
    tokens.with_name("new").replace(tokens)
    for call in (leaves, stays):
        await call.write(item("second"))
    assert ids([await read(stays)]) == ["second"]
    # What was taken while the token held is answered.
    gate.open.set()
    assert ids([await read(leaves)]) == ["taken"]
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await read(leaves)
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert detail(refused.value, error_details_pb2.ErrorInfo).reason == "INVALID_CREDENTIALS"
    await stays.write(item("third"))
    assert ids([await read(stays)]) == ["third"]


# ---------------------------------------------------------------- what is told of them


async def test_every_decision_of_a_stream_is_counted_and_logged_like_a_call(
    start: Starter,
) -> None:
    peer = await start(policy=policy_text(flags={"decision_log_sample_rate": 1}))
    call = peer.stub.StreamRouteDecisions()
    for number in range(4):
        await call.write(item(str(number)))
    await call.done_writing()
    answers = await rest(call)
    assert sum(counted(peer.running.telemetry.metrics, DECISIONS).values()) == 4
    await eventually(lambda: len(_logged(peer)) == 4)
    assert all(a.response.decision_id in "".join(_logged(peer)) for a in answers)


def _logged(peer: Peer) -> list[str]:
    return peer.log_file.read_text().splitlines() if peer.log_file.exists() else []


# ---------------------------------------------------------------- a law


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_is_mixed_each_request_is_answered_once_as_a_call_would_be(
    start: Starter, seed: int
) -> None:
    peer = await start(policy=policy_text(stickiness="conversation"), stream_in_flight=7)
    asked = dict(_mixture(random.Random(seed), 150))
    alone = {name: await _alone(peer, message) for name, message in asked.items()}
    call = peer.stub.StreamRouteDecisions()

    async def ask() -> None:
        for name, message in asked.items():
            await call.write(item(name, message))
        await call.done_writing()

    asking = asyncio.create_task(ask())
    answers = await rest(call)
    await asking
    assert sorted(ids(answers)) == sorted(asked)
    for answer in answers:
        code, told = alone[answer.correlation_id]
        if answer.HasField("status"):
            assert answer.status.code == code
        else:
            answer.response.decision_id = ""
            assert (code, answer.response) == (0, told)


def _mixture(dice: random.Random, count: int) -> Iterator[tuple[str, Any]]:
    for number in range(count):
        message = request(
            dice.choice(["Prove it.", "hello", "Refactor the cache."]),
            caller=pb.Caller(session_id=f"s{dice.randrange(12)}"),
            dry_run=dice.random() < 0.2,
        )
        if dice.random() < 0.1:
            message.caller.user_id = " "
        if dice.random() < 0.1:
            message.ClearField("routing")
        yield str(number), message


async def _alone(peer: Peer, message: Any) -> tuple[int, Any]:
    """What a call of its own gets: twice, so that what is kept is kept."""
    try:
        await peer.decide(message)
        told = await peer.decide(message)
    except grpc.aio.AioRpcError as refused:
        code: int = refused.code().value[0]
        return code, None
    told.decision_id = ""
    return 0, told
