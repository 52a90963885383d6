"""The short way of a kept decision says what the long way says, or stands aside."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pointsman.v1 import route_decision_pb2 as pb
from pointsman_server.core.errors import InvalidRequest
from pointsman_server.telemetry.attributes import decision_attributes
from pointsman_server.telemetry.config import SamplerRules
from pointsman_server.telemetry.tracing.head_tracer import HeadTracer
from pointsman_server.telemetry.tracing.light_span import CallSpans
from pointsman_server.transport.decode import to_request
from pointsman_server.transport.encode import to_response
from pointsman_server.transport.fast_path.fast_path import CONTEXTS, LONGEST_CONTEXT
from support.requests import STATIC_PICKS, drawn, messages
from support.served import CATALOG, FRONTIER, Peer, Starter, policy_text, request


@pytest.fixture(params=["shadow", "serve", "some served"])
async def peer(request: Any, start: Starter) -> Peer:
    mode = "shadow" if request.param == "shadow" else "serve"
    share = 50 if request.param == "some served" else 100
    return await start(
        policy=policy_text(mode=mode, serve_percent=share, organizations="local_only")
    )


async def test_whatever_is_asked_both_ways_answer_the_same(peer: Peer) -> None:
    service: Any = peer.running.runtime.service()
    went = 0
    for message in drawn(messages, 800):
        try:
            value = to_request(message)
        except InvalidRequest:
            assert not isinstance(service.fast_path.answer(message), bytes)
            continue
        await service.decider.decide(value)
        wire = service.fast_path.answer(message)
        outcome = await service.decider.decide(value)
        if isinstance(wire, bytes):
            went += 1
            assert told(pb.RouteDecisionResponse.FromString(wire)) == told(to_response(outcome))
    assert went > 30


async def test_after_another_turn_both_ways_answer_the_same(peer: Peer) -> None:
    """Pairs of requests: the second meets what the first left in cache and slot."""
    service: Any = peer.running.runtime.service()
    went = 0
    for number, (first, second) in enumerate(drawn(PAIRS, 200)):
        for message in (first, second):
            message.caller.session_id = f"pair-{number}"
        values = [to_request(m) for m in (second, first, second)]
        for value in values:
            await service.decider.decide(value)
        wire = service.fast_path.answer(second)
        outcome = await service.decider.decide(values[-1])
        if isinstance(wire, bytes):
            went += 1
            assert told(pb.RouteDecisionResponse.FromString(wire)) == told(to_response(outcome))
    assert went > 25


async def test_plain_repetitions_go_the_short_way_and_are_answered_the_same(peer: Peer) -> None:
    service: Any = peer.running.runtime.service()
    went = 0
    for number in range(200):
        message = plain(number)
        value = to_request(message)
        first = await service.decider.decide(value)
        wire = service.fast_path.answer(message)
        assert isinstance(wire, bytes), message
        short = pb.RouteDecisionResponse.FromString(wire)
        assert short.decision.cached
        assert told(short) == told(to_response(await service.decider.decide(value)))
        assert short.decision_id != first.decision_id
        went += 1
    assert went == 200


async def test_the_span_of_a_plain_repetition_tells_what_the_long_way_tells(peer: Peer) -> None:
    service: Any = peer.running.runtime.service()
    exporter, long = InMemorySpanExporter(), []
    spans = recording(exporter)
    service.decider.observers = (SimpleNamespace(on_decision=long.append),)
    for number in range(100):
        message = plain(number)
        await service.decider.decide(to_request(message))
        wire = service.fast_path.answer(message, spans.sample("call", None))
        await service.decider.decide(to_request(message))
        [span] = exporter.get_finished_spans()
        exporter.clear()
        short = {k: v for k, v in span.attributes.items() if not k.startswith("rpc.")}
        sent = pb.RouteDecisionResponse.FromString(wire)
        assert short.pop("pointsman.decision_id") == sent.decision_id
        told_long = decision_attributes(long[-1].materialise())
        del told_long["pointsman.decision_id"]
        assert short == told_long
    assert len(long) == 200


async def test_a_span_of_what_goes_the_long_way_is_told_nothing_by_the_short_one(
    start: Starter,
) -> None:
    peer = await start()
    service: Any = peer.running.runtime.service()
    exporter = InMemorySpanExporter()
    found = service.fast_path.answer(request(), recording(exporter).sample("call", None))
    assert not isinstance(found, bytes)
    assert exporter.get_finished_spans() == ()


@pytest.mark.parametrize(
    "fields",
    [
        {"classify": True},
        {"dry_run": True},
        {"routing": pb.RoutingContext(incumbent_model="openai/gpt-5.5")},
        {"requested_model": "openai/gpt-5.5"},
        {"caller": pb.Caller(user_id=" user-1")},
    ],
    ids=lambda fields: next(iter(fields)),
)
async def test_what_is_no_plain_repetition_goes_the_long_way(start: Starter, fields: Any) -> None:
    peer = await start()
    service: Any = peer.running.runtime.service()
    await peer.decide(request())
    assert isinstance(service.fast_path.answer(request()), bytes)
    assert not isinstance(service.fast_path.answer(request(**fields)), bytes)


async def test_what_is_remembered_holds_no_word_and_no_id_of_a_caller(start: Starter) -> None:
    peer = await start()
    service: Any = peer.running.runtime.service()
    message = request("canary prompt", caller=pb.Caller(user_id="canary-user", session_id="canary"))
    await service.decider.decide(to_request(message))
    assert isinstance(service.fast_path.answer(message), bytes)
    assert service.fast_path.contexts
    assert "canary" not in repr(service.fast_path.contexts)


async def test_an_estimate_of_its_own_keeps_no_request_from_the_short_way(start: Starter) -> None:
    peer = await start()
    service: Any = peer.running.runtime.service()
    for tokens in range(1_000, 1_100):
        message = request(constraints=pb.Constraints(prompt_tokens_estimate=tokens))
        assert (await peer.decide(message)).decision.cached == (tokens > 1_000)
        assert isinstance(service.fast_path.answer(message), bytes)
    assert len(service.fast_path.contexts) == 1


async def test_an_estimate_that_fits_other_models_is_another_context(start: Starter) -> None:
    known = {name: facts | {"context_window": 1_000_000} for name, facts in CATALOG.items()}
    known[FRONTIER[-1]]["context_window"] = 10_000
    peer = await start(policy=policy_text(catalog=known))
    service: Any = peer.running.runtime.service()
    for tokens in (10_000, 10_001):
        message = request(constraints=pb.Constraints(prompt_tokens_estimate=tokens))
        long = await service.decider.decide(to_request(message))
        wire = service.fast_path.answer(message)
        assert isinstance(wire, bytes)
        short = pb.RouteDecisionResponse.FromString(wire)
        assert short.decision.candidate_count == long.decision.candidate_count
        assert len(short.decision.dropped) == (tokens > 10_000)


async def test_a_long_context_goes_the_long_way_and_is_not_remembered(start: Starter) -> None:
    peer = await start()
    service: Any = peer.running.runtime.service()
    for number in range(10):
        denied = [f"x/{number}-{other:0200}" for other in range(LONGEST_CONTEXT // 200)]
        message = request(constraints=pb.Constraints(denied_models=denied))
        await peer.decide(message)
        assert service.fast_path.answer(message) is None
    assert not service.fast_path.contexts


async def test_what_was_learned_first_is_forgotten_for_what_is_new(start: Starter) -> None:
    peer = await start()
    service: Any = peer.running.runtime.service()
    asked = [
        request(constraints=pb.Constraints(denied_models=[f"x/{n}"])) for n in range(CONTEXTS + 1)
    ]
    await peer.decide(asked[0])
    for message in asked:
        assert isinstance(service.fast_path.answer(message), bytes)
    assert len(service.fast_path.contexts) == CONTEXTS
    assert isinstance(service.fast_path.answer(asked[0]), bytes)


async def test_what_the_cache_does_not_hold_goes_the_long_way(start: Starter) -> None:
    peer = await start()
    service: Any = peer.running.runtime.service()
    assert not isinstance(service.fast_path.answer(request()), bytes)
    await peer.decide(request())
    assert isinstance(service.fast_path.answer(request()), bytes)
    await peer.running.runtime.parts.cache.cache.backend.clear()  # type: ignore[union-attr]
    assert not isinstance(service.fast_path.answer(request()), bytes)
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


turns = st.builds(
    pb.RouteDecisionRequest,
    prompt=st.builds(
        pb.Prompt,
        latest_user_prompt_prefix=st.sampled_from(
            ["Rename foo.", "Prove that it is linearizable.", "hello", "fix it", "Why is it slow?"]
        ),
        message_count=st.sampled_from([None, 1, 9]),
        max_output_tokens=st.sampled_from([None, None, 1, 4_096]),
        context_reset=st.sampled_from([False] * 5 + [True]),
    ),
    caller=st.builds(
        pb.Caller, user_id=st.just("user-1"), agent_id=st.sampled_from([None, None, "agent-1"])
    ),
    routing=st.builds(
        pb.RoutingContext,
        auto_model=st.sampled_from(["kilo-auto/frontier", "kilo-auto/balanced"]),
        candidate_models=st.sampled_from([FRONTIER, FRONTIER[::-1], FRONTIER[:2]]),
        resolved_model=st.sampled_from([FRONTIER[0], FRONTIER[1], None]),
        incumbent_model=st.sampled_from([*[None] * 8, *FRONTIER]),
    ),
    constraints=st.builds(
        pb.Constraints,
        prompt_tokens_estimate=st.sampled_from([None, 2_000, 90_000]),
        denied_models=st.sampled_from([[]] * 4 + [[FRONTIER[0]]]),
        keep_provider=st.booleans(),
    ),
    data_policy=st.sampled_from([0, 0, 1, 2]),
    requested_model=st.sampled_from([""] * 5 + ["kilo-auto/frontier", FRONTIER[1]]),
)
PAIRS = st.tuples(turns, turns)


def recording(exporter: InMemorySpanExporter) -> CallSpans:
    """Spans of calls, all of which are recorded."""
    provider = TracerProvider(shutdown_on_exit=False)
    processor = SimpleSpanProcessor(exporter)
    rules = SamplerRules(share=1.0, follow_caller=True)
    tracer = HeadTracer(provider.get_tracer("test"), sampler=rules, random=lambda: 0.0)
    return CallSpans(tracer, processors=[processor], ids=provider.id_generator)


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
