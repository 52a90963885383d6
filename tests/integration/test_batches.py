"""`BatchRouteDecisions` as clients in any language meet it, over a real socket."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from pointsman.v1 import batch_route_decisions_pb2 as batch_pb
from pointsman.v1 import route_decision_pb2 as pb
from pointsman_server.lib.protobuf_wire import field
from pointsman_server.telemetry.metrics.catalog import DECISIONS
from pointsman_server.transport.wire_parsing import BATCH_REQUESTS, REQUEST_BYTES
from support.counted import counted, in_flight
from support.details import detail
from support.eventually import eventually
from support.requests import drawn, messages
from support.served import Peer, Starter, policy_text, request
from support.ways import refusal

PATH = "/pointsman.v1.RoutingService/BatchRouteDecisions"


async def ask(peer: Peer, *requests: Any, **call: Any) -> list[Any]:
    message = batch_pb.BatchRouteDecisionsRequest(requests=requests)
    answer = await peer.stub.BatchRouteDecisions(message, **{"timeout": 60} | call)
    return list(answer.results)


def of_session(name: str, **fields: Any) -> Any:
    return request(caller=pb.Caller(session_id=name), **fields)


async def test_answers_stand_in_the_order_of_the_requests(start: Starter) -> None:
    peer = await start()
    tiers = ["kilo-auto/frontier", "kilo-auto/none"] * 20
    batch = [
        of_session(str(n), routing=pb.RoutingContext(auto_model=t)) for n, t in enumerate(tiers)
    ]
    await peer.decide(batch[0])  # one of them is kept, and so answered before the others
    results = await ask(peer, *batch)
    routed, skipped = pb.OUTCOME_ROUTED, pb.OUTCOME_SKIPPED
    assert [r.response.outcome for r in results] == [routed, skipped] * 20


TURNS = ["Rename foo to bar.", "Prove that this queue is linearizable.", "Sort these imports."]


async def test_the_turns_of_a_conversation_in_one_batch_are_decided_in_their_order(
    start: Starter,
) -> None:
    """Each answer is that of a call of its own after the turns before it; neighbours do not mix."""
    peer = await start(policy=policy_text(mode="serve", serve_percent=100))
    one_by_one = [await peer.decide(turn("alone", text)) for text in TURNS]
    mixed = [turn(name, text) for text in TURNS for name in ("first", "second")]
    results = [r.response for r in await ask(peer, *mixed)]
    for name in (0, 1):
        for found, alone in zip(results[name::2], one_by_one, strict=True):
            found.decision_id = alone.decision_id
            assert found == alone


async def test_the_same_turn_twice_in_one_batch_is_decided_once(start: Starter) -> None:
    peer = await start(policy=policy_text(mode="serve", serve_percent=100))
    first, second = await ask(peer, turn("s", TURNS[0]), turn("s", TURNS[0]))
    assert (first.response.decision.cached, second.response.decision.cached) == (False, True)
    assert first.response.serve_model == second.response.serve_model


async def test_a_session_is_one_conversation_of_a_batch_whatever_the_machine(
    start: Starter,
) -> None:
    """Ids are trimmed, and the machine does not tell turns of one session apart."""
    peer = await start(policy=policy_text(mode="serve", serve_percent=100))
    one_by_one = [await peer.decide(turn("alone", text)) for text in TURNS]
    batch = [turn(name, text) for name, text in zip(("s", " s", "s "), TURNS, strict=True)]
    for number, message in enumerate(batch):
        message.caller.machine_id = f"machine-{number}"
    results = [r.response for r in await ask(peer, *batch)]
    assert [(r.serve_model, r.decision.sticky) for r in results] == [
        (r.serve_model, r.decision.sticky) for r in one_by_one
    ]
    assert [r.decision.switch_reason for r in results] == [
        r.decision.switch_reason for r in one_by_one
    ]


async def test_a_slow_turn_of_a_conversation_does_not_cost_a_batch_its_answer(
    start: Starter,
) -> None:
    """The first turn ends when all others were decided: half of the call's time later at most."""
    peer = await start()
    decider: Any = peer.running.runtime.service().decider
    decide, decided, others = decider.decide, 0, asyncio.Event()

    async def slowly(asked: Any, **call: Any) -> Any:
        nonlocal decided
        if asked.prompt.first == TURNS[0]:
            await others.wait()
        decided += 1
        if decided == 2:
            others.set()
        return await decide(asked, **call)

    decider.decide = slowly
    results = await ask(peer, *[turn("s", text) for text in TURNS], timeout=4)
    assert [r.response.outcome for r in results] == [pb.OUTCOME_ROUTED] * 3


def turn(session: str, text: str) -> Any:
    return of_session(
        session,
        prompt=text,
        constraints=pb.Constraints(prompt_tokens_estimate=2_000),
    )


async def test_a_bad_request_fails_none_of_its_neighbours(start: Starter) -> None:
    peer = await start()
    large = request(caller=pb.Caller(user_agent="a" * REQUEST_BYTES))
    blank = request(caller=pb.Caller(user_id=" "))
    results = await ask(peer, request(), blank, large, pb.RouteDecisionRequest(), request())
    assert [r.WhichOneof("result") for r in results] == [
        "response", "status", "status", "status", "response",
    ]  # fmt: skip
    fields = [
        [v.field for v in detail(refusal(r.status), error_details_pb2.BadRequest).field_violations]
        for r in results[1:4]
    ]
    assert fields == [["caller.user_id"], ["request"], ["prompt", "caller"]]


async def test_a_request_that_cannot_be_read_fails_none_of_its_neighbours(start: Starter) -> None:
    peer = await start()
    ask_bytes = peer.channel.unary_unary(
        PATH, response_deserializer=batch_pb.BatchRouteDecisionsResponse.FromString
    )
    good = field(1, request().SerializeToString())
    results = (await ask_bytes(good + field(1, b"\xff") + good)).results
    assert [r.WhichOneof("result") for r in results] == ["response", "status", "response"]
    [violation] = detail(refusal(results[1].status), error_details_pb2.BadRequest).field_violations
    assert violation.field == "request"


@pytest.mark.parametrize("count", [0, BATCH_REQUESTS + 1])
async def test_a_batch_of_none_or_too_many_is_refused_as_a_whole(
    start: Starter, count: int
) -> None:
    peer = await start()
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await ask(peer, *[request()] * count)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    [violation] = detail(refused.value, error_details_pb2.BadRequest).field_violations
    assert violation.field == "requests"


async def test_bytes_that_are_no_batch_are_refused(start: Starter) -> None:
    peer = await start()
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await peer.channel.unary_unary(PATH)(b"\xff")
    [violation] = detail(refused.value, error_details_pb2.BadRequest).field_violations
    assert violation.field == "request"


async def test_a_full_batch_of_the_largest_requests_is_decided(start: Starter) -> None:
    peer = await start()
    message = request()
    message.prompt.system_prompt_prefix = "a" * 60_000
    message.prompt.system_prompt_prefix += "a" * (REQUEST_BYTES - message.ByteSize())
    assert message.ByteSize() == REQUEST_BYTES
    results = await ask(peer, *[message] * BATCH_REQUESTS)
    assert [r.response.outcome for r in results] == [pb.OUTCOME_ROUTED] * BATCH_REQUESTS


async def test_the_gate_counts_the_decisions_of_a_batch(start: Starter) -> None:
    peer = await start(max_in_flight=2)
    results = await ask(peer, *[of_session(str(n)) for n in range(5)])
    refused = [refusal(r.status) for r in results if r.HasField("status")]
    assert len(refused) == 3
    assert {e.code() for e in refused} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert all(detail(e, error_details_pb2.RetryInfo) for e in refused)
    assert in_flight(peer.running.telemetry.metrics) == 0


async def test_a_batch_that_is_cancelled_cancels_what_is_under_way(start: Starter) -> None:
    peer = await start()
    decider: Any = peer.running.runtime.service().decider
    inside = cancelled = 0

    async def never(*_: Any, **__: Any) -> Any:
        nonlocal inside, cancelled
        inside += 1
        try:
            await asyncio.Event().wait()
        finally:
            cancelled += 1

    decider.decide = never
    call = peer.stub.BatchRouteDecisions(
        batch_pb.BatchRouteDecisionsRequest(requests=[of_session(str(n)) for n in range(3)])
    )
    await eventually(lambda: inside == 3)
    call.cancel()
    await eventually(lambda: cancelled == 3)
    await eventually(lambda: in_flight(peer.running.telemetry.metrics) == 0)


async def test_every_decision_of_a_batch_is_counted_and_logged_like_a_call(start: Starter) -> None:
    peer = await start(policy=policy_text(flags={"decision_log_sample_rate": 1}))
    results = await ask(peer, *[of_session(str(n % 2)) for n in range(6)])
    assert sum(counted(peer.running.telemetry.metrics, DECISIONS).values()) == 6
    logged = lambda: peer.log_file.read_text() if peer.log_file.exists() else ""  # noqa: E731
    await eventually(lambda: logged().count("\n") == 6)
    assert all(r.response.decision_id in logged() for r in results)


async def test_a_batch_answers_what_calls_would(start: Starter) -> None:
    peer = await start(policy=policy_text(mode="serve", serve_percent=50))
    asked = list(drawn(messages, 120))
    for message in asked:  # so that all find the same kept
        await _alone(peer, message)
    alone = [await _alone(peer, message) for message in asked]
    results = await ask(peer, *asked)
    for result, (code, told) in zip(results, alone, strict=True):
        if result.HasField("status"):
            assert result.status.code == code
        else:
            result.response.decision_id = ""
            assert (code, result.response) == (0, told)
    assert {code for code, _ in alone} >= {0, 3}


async def _alone(peer: Peer, message: Any) -> tuple[int, Any]:
    try:
        told = await peer.decide(message)
    except grpc.aio.AioRpcError as refused:
        code: int = refused.code().value[0]
        return code, None
    told.decision_id = ""
    return 0, told
