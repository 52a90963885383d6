"""What every `DecisionEngine` keeps: engines themselves and each layer around one."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.trace import NoOpTracer
from pointsman_server.chain.bulkhead import Bulkhead
from pointsman_server.chain.cached import CacheWriter
from pointsman_server.chain.circuit_breaker import Breaker
from pointsman_server.chain.effort_advice import EffortAdvice
from pointsman_server.chain.error_boundary import ErrorBoundary
from pointsman_server.chain.fair_scheduling import FairScheduler, ScheduledEngine
from pointsman_server.chain.fallback import Fallback
from pointsman_server.chain.instrumented import Instrumented
from pointsman_server.chain.singleflight import SingleFlight
from pointsman_server.core.candidates import contains_answer
from pointsman_server.core.engine_rules import BreakerRules, DecisionFormat
from pointsman_server.core.errors import EngineFailed, EnginesFailed
from pointsman_server.core.policy_file import CacheRules, LocalRules
from pointsman_server.engines.local import LocalEngine
from pointsman_server.engines.remote.client import client_over
from support.builders import CODEC, ROUTER_IDS, model, query
from support.decision_answers import answered
from support.fakes import FakeClock, RecordingCache, RecordingMeter, ScriptedEngine, failed
from support.remote import decision_model_engine, decision_model_rules, morph_engine

STAGES = {
    "timeout",
    "fetch",
    "invalid_response",
    "circuit_open",
    "deadline",
    "unexpected_error",
    "http_503",
}
LOCAL = LocalEngine.load(LocalRules(quality_loss={"capability_heavy": 0.02, "balanced": 0.05}))


def morph(answering):
    """Engine `morph`; its server picks the last model that it is offered."""

    async def handle(request):
        if not answering:
            return httpx.Response(503)
        body = json.dumps({"model": json.loads(request.content)["allowed_models"][-1]}).encode()

        async def chunks():
            yield body

        return httpx.Response(200, content=chunks())

    return morph_engine(client_over(httpx.MockTransport(handle)))


def decision_model(wire):
    """A decision model of a format; its server finds every prompt hard."""

    def build(answering):
        def handle(request):
            if not answering:
                return httpx.Response(503)
            body = answered(json.loads(request.content), effort=(0.0, 0.0, 0.1, 0.3, 0.6))
            return httpx.Response(200, stream=httpx.ByteStream(json.dumps(body).encode()))

        rules = decision_model_rules(format=wire)
        return decision_model_engine(client_over(httpx.MockTransport(handle)), rules=rules)

    return build


def breaker(answering):
    return Breaker(
        morph(answering),
        name="morph",
        rules=BreakerRules(),
        clock=FakeClock(),
        meter=RecordingMeter(),
    )


def bounded(answering):
    return Bulkhead(
        morph(answering), name="morph", limit=1, on_refused=RecordingMeter().engine_refused
    )


def in_turn(answering):
    return ScheduledEngine(morph(answering), turns=FairScheduler())


def traced(answering):
    return Instrumented(
        morph(answering),
        name="morph",
        tracer=NoOpTracer(),
        meter=RecordingMeter().engine_call,
        clock=FakeClock(),
        http={},
    )


def fallback(answering):
    """The second engine answers for the first, or neither does."""
    second = LOCAL if answering else ScriptedEngine(failed("unexpected_error", engine="local"))
    return Fallback({"morph": morph(answering=False), "local": second})


def kept(answering):
    return CacheWriter(fallback(answering), cache=RecordingCache(), codec=CODEC, rules=CacheRules())


def single(answering):
    return SingleFlight(fallback(answering), clock=FakeClock())


def advised(answering):
    return EffortAdvice(fallback(answering))


def whole(answering):
    """All layers, as a server has them."""
    chain = CacheWriter(
        EffortAdvice(fallback(answering)),
        cache=RecordingCache(),
        codec=CODEC,
        rules=CacheRules(),
    )
    return SingleFlight(chain, clock=FakeClock())


ENGINES = {
    "local": lambda _: LOCAL,
    "morph": morph,
    **{wire.value: decision_model(wire) for wire in DecisionFormat},
    "guarded": lambda answering: ErrorBoundary(morph(answering), name="morph"),
    "breaker": breaker,
    "bounded": bounded,
    "in turn": in_turn,
    "traced": traced,
    "fallback": fallback,
    "kept": kept,
    "singleflight": single,
    "advised": advised,
    "chain": whole,
}
FAILING = {name: build for name, build in ENGINES.items() if name != "local"}

each_engine = pytest.mark.parametrize("build", ENGINES.values(), ids=list(ENGINES))
each_failing = pytest.mark.parametrize("build", FAILING.values(), ids=list(FAILING))


@each_engine
async def test_an_answer_names_one_of_the_candidates_by_both_of_its_ids(build):
    asked = query()
    found = await build(True).decide(asked)
    assert contains_answer(found, asked.candidates)


@each_engine
async def test_two_candidates_are_enough_and_thirty_two_are_not_too_many(build):
    engine = build(True)
    for count in (2, 32):
        candidates = tuple(model(f"x/{i}", router_id=f"r{i}") for i in range(count))
        asked = query(candidates=candidates, default=candidates[-1], key=str(count).encode())
        assert contains_answer(await engine.decide(asked), candidates)


@each_engine
async def test_ids_of_the_request_are_answered_with_and_not_those_of_another(build):
    engine = build(True)
    for prefix in ("first", "second"):
        candidates = tuple(model(f"{prefix}/{i}", router_id=f"r{i}") for i in range(3))
        # The same router ids and the same key: only the public ids are others.
        asked = query(candidates=candidates, default=candidates[0])
        assert (await engine.decide(asked)).model.startswith(prefix)


@each_engine
async def test_calls_at_the_same_time_do_not_disturb_each_other(build):
    engine = build(True)
    queries = []
    for i in range(20):
        names = list(ROUTER_IDS)[i % 3 : i % 3 + 2]
        candidates = tuple(model(name) for name in names)
        queries.append(query(candidates=candidates, default=candidates[0], key=bytes([i % 3])))
    found = await asyncio.gather(*(engine.decide(q) for q in queries))
    assert all(contains_answer(a, q.candidates) for a, q in zip(found, queries, strict=True))


@each_engine
async def test_without_a_key_it_answers_too(build):
    asked = query(key=None)
    assert contains_answer(await build(True).decide(asked), asked.candidates)


@each_engine
@pytest.mark.parametrize("left", [-5.0, 0.0, 0.001])
async def test_without_time_it_answers_or_fails_in_its_own_words(build, left):
    asked = query(deadline=FakeClock().monotonic() + left)
    stages = set()
    try:
        found = await build(True).decide(asked)
    except (EngineFailed, EnginesFailed) as error:
        stages = {f.stage for f in error.failures}
    assert stages == {"deadline"} or contains_answer(found, asked.candidates)


@each_engine
async def test_a_cancelled_call_does_not_harm_the_next(build):
    engine = build(True)
    task = asyncio.create_task(engine.decide(query()))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert contains_answer(await engine.decide(query()), query().candidates)


@each_engine
def test_any_prompt_is_answered(build):
    @given(st.text(min_size=1, max_size=200).filter(str.strip))
    def check(prompt):
        async def live():
            asked = query(prompt=prompt.strip())
            assert contains_answer(await build(True).decide(asked), asked.candidates)

        asyncio.run(live())

    check()


@each_failing
async def test_a_failure_names_engines_and_stages_of_the_contract_and_no_prompt(build):
    with pytest.raises((EngineFailed, EnginesFailed)) as caught:
        await build(False).decide(query(prompt="canary"))
    failures = caught.value.failures
    assert failures
    assert {f.engine for f in failures} <= {"morph", "local", "jev"}
    assert {f.stage for f in failures} <= STAGES
    assert "canary" not in repr(caught.value)


@each_failing
async def test_an_engine_that_fails_goes_on_failing_in_the_same_words(build):
    engine = build(False)
    for _ in range(3):
        with pytest.raises((EngineFailed, EnginesFailed)):
            await engine.decide(query())


@each_engine
async def test_the_same_question_gets_the_same_model(build):
    """These engines throw no dice."""
    engine = build(True)
    asked = query(key=None)
    again = replace(asked, deadline=FakeClock().monotonic() + 60)
    assert (await engine.decide(asked)).model == (await engine.decide(again)).model
