"""The short way of a kept decision says what the long way says, or stands aside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pointsman.v1 import route_decision_pb2 as pb
from pointsman_server.core.errors import InvalidRequest
from pointsman_server.transport.decode import to_request
from pointsman_server.transport.encode import to_response
from support.served import FRONTIER, Peer, Starter, policy_text, request

STATIC_PICKS = [
    None,
    None,
    FRONTIER[0],
    FRONTIER[0],
    FRONTIER[0],
    FRONTIER[1],
    "qwen/qwen3.7-plus",
    " openai/gpt-5.5 ",
    "",
]
TEXTS = ["Prove it.", "hello", "Refactor the cache.\n", "Why?", "  ", None]
PLAIN = [None, None, "a", "x" * 256]
IDS = [*PLAIN * 16, " a", "", "x" * 257]

prompts = st.builds(
    pb.Prompt,
    user_prompt_prefix=st.sampled_from(TEXTS),
    latest_user_prompt_prefix=st.sampled_from(TEXTS),
    system_prompt_prefix=st.sampled_from(["You help.", None]),
    api_kind=st.sampled_from([0, 1, 2, 3] * 6 + [9]),
    message_count=st.sampled_from([None, 0, 1, 5]),
    has_tools=st.booleans(),
    stream=st.booleans(),
)
callers = st.builds(
    pb.Caller,
    user_id=st.sampled_from(["user-1", "user-2"] * 12 + [" ", "x" * 257]),
    session_id=st.sampled_from(["s1", "s2", "s3"] * 6 + IDS),
    machine_id=st.sampled_from(["m1", *IDS]),
    client_request_id=st.sampled_from(IDS),
    mode=st.sampled_from(["code", *IDS]),
    user_agent=st.sampled_from(IDS),
    organization_id=st.sampled_from([None, None, None, "org", " "]),
)
routings = st.builds(
    pb.RoutingContext,
    auto_model=st.sampled_from(
        ["kilo-auto/frontier", "kilo-auto/balanced"] * 8 + ["kilo-auto/none", ""]
    ),
    candidate_models=st.lists(
        st.sampled_from([*FRONTIER * 16, "kilo-auto/frontier", "vendor/unknown", ""]),
        min_size=2,
        max_size=6,
    ),
    resolved_model=st.sampled_from(STATIC_PICKS),
)
constraints = st.builds(
    pb.Constraints,
    prompt_tokens_estimate=st.sampled_from([None, 0, 10]),
    requires_tools=st.sampled_from([False, False, True]),
    denied_models=st.lists(st.sampled_from([*FRONTIER, " "]), max_size=2),
    keep_provider=st.sampled_from([False] * 5 + [True]),
)
messages = st.builds(
    pb.RouteDecisionRequest,
    prompt=prompts,
    caller=callers,
    routing=routings,
    constraints=st.none() | st.none() | constraints,
    data_policy=st.sampled_from([0] * 6 + [1, 2, 7]),
    requested_model=st.sampled_from([""] * 6 + ["kilo-auto/frontier", "openai/gpt-5.5", "m" * 257]),
    body_bytes=st.sampled_from([0, 9]),
    classify=st.sampled_from([False] * 7 + [True]),
    dry_run=st.sampled_from([False] * 7 + [True]),
)


@pytest.fixture(params=["shadow", "serve", "some served"])
async def peer(request: Any, start: Starter) -> Peer:
    mode = "shadow" if request.param == "shadow" else "serve"
    share = 50 if request.param == "some served" else 100
    return await start(policy=policy_text(mode=mode, serve_percent=share))


async def test_whatever_is_asked_both_ways_answer_the_same(peer: Peer) -> None:
    service: Any = peer.running.runtime.service
    went = 0
    for message in drawn(messages, 400):
        try:
            value = to_request(message)
        except InvalidRequest:
            assert service.lane.answer(message) is None
            continue
        await service.decider.decide(value)
        wire = service.lane.answer(message)
        outcome = await service.decider.decide(value)
        if wire is not None:
            went += 1
            assert told(pb.RouteDecisionResponse.FromString(wire)) == told(to_response(outcome))
    assert went > 40


async def test_plain_repetitions_go_the_short_way_and_are_answered_the_same(peer: Peer) -> None:
    service: Any = peer.running.runtime.service
    went = 0
    for number in range(200):
        message = plain(number)
        value = to_request(message)
        first = await service.decider.decide(value)
        wire = service.lane.answer(message)
        assert wire is not None, message
        short = pb.RouteDecisionResponse.FromString(wire)
        assert short.decision.cached
        assert told(short) == told(to_response(await service.decider.decide(value)))
        assert short.decision_id != first.decision_id
        went += 1
    assert went == 200


@pytest.mark.parametrize(
    "fields",
    [
        {"classify": True},
        {"dry_run": True},
        {"constraints": pb.Constraints(keep_provider=True)},
        {"requested_model": "openai/gpt-5.5"},
        {"caller": pb.Caller(user_id=" user-1")},
    ],
    ids=lambda fields: next(iter(fields)),
)
async def test_what_is_no_plain_repetition_goes_the_long_way(start: Starter, fields: Any) -> None:
    peer = await start()
    service: Any = peer.running.runtime.service
    await peer.decide(request())
    assert service.lane.answer(request()) is not None
    assert service.lane.answer(request(**fields)) is None


async def test_what_is_remembered_holds_no_word_and_no_id_of_a_caller(start: Starter) -> None:
    peer = await start()
    service: Any = peer.running.runtime.service
    message = request("canary prompt", caller=pb.Caller(user_id="canary-user", session_id="canary"))
    await service.decider.decide(to_request(message))
    assert service.lane.answer(message) is not None
    assert service.lane._tracks
    assert "canary" not in repr(service.lane._tracks)


async def test_what_the_cache_does_not_hold_goes_the_long_way(start: Starter) -> None:
    peer = await start()
    service: Any = peer.running.runtime.service
    assert service.lane.answer(request()) is None
    await peer.decide(request())
    backend = peer.running.runtime._parts.cache.cache._backend  # type: ignore[union-attr]
    for key, (expires, value) in list(backend._entries.items()):
        backend._entries[key] = (expires, value[:-1])
    assert service.lane.answer(request()) is None
    again = await peer.decide(request())
    assert not again.decision.cached


async def test_what_goes_the_short_way_is_counted_like_the_rest(start: Starter) -> None:
    peer = await start(policy=policy_text(flags={"decision_log_sample_rate": 0}))
    for _ in range(5):
        answer = await peer.decide(request())
    assert answer.decision.cached
    metrics = peer.running.telemetry.metrics
    assert sum(n for _, n in metrics._decisions) == 5
    assert sum(n for _, n in metrics._lookups) >= 5
    assert len(dict(metrics._decisions)) == 1


def plain(number: int) -> pb.RouteDecisionRequest:
    """One of many ordinary requests: tiers, orders, static picks, conversations."""
    candidates = [*FRONTIER[number % 3 :], "vendor/unknown"][: 2 + number % 4]
    static_pick = STATIC_PICKS[number % 4]
    message = request(caller=pb.Caller(session_id=f"s{number % 40}"))
    message.routing.CopyFrom(
        pb.RoutingContext(
            auto_model=("kilo-auto/frontier", "kilo-auto/balanced")[number % 2],
            candidate_models=candidates if len(candidates) > 2 else FRONTIER,
            resolved_model=static_pick,
        )
    )
    if number % 5 == 0:
        message.caller.ClearField("session_id")
    return message


def told(response: pb.RouteDecisionResponse) -> pb.RouteDecisionResponse:
    """The response without the id that every answer has of its own."""
    response.decision_id = ""
    return response


def drawn(strategy: st.SearchStrategy[Any], count: int) -> Iterator[Any]:
    """Examples for a test that has to await what it does with them."""
    found: list[Any] = []

    @settings(
        max_examples=count,
        database=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
    )
    @given(strategy)
    def collect(example: Any) -> None:
        found.append(example)

    collect()
    yield from found
