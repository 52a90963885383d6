"""Kept decisions: found before anybody is asked, kept after somebody answered."""

from __future__ import annotations

from dataclasses import replace

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NoOpTracer
from pointsman_server.chain.cached import CacheReader, CacheWriter
from pointsman_server.core.errors import EnginesFailed
from pointsman_server.core.policy_file import CacheRules
from support.builders import CODEC, GPT, OPUS, SONNET, answer, model, query
from support.fakes import RecordingCache, ScriptedEngine, failed

RULES = CacheRules(ttl=1_800.0, fallback_ttl=60.0)
KEY = query().key
BAD = [b"", b"junk", b"null", b"\xff", CODEC.dump(answer())[:-1]]
FOREIGN = [CODEC.dump(answer("x/gone")), CODEC.dump(answer(SONNET, router_model="another"))]


def finding(*script, kept=None):
    """The layer that finds, its engine and its cache."""
    cache, engine = RecordingCache(), ScriptedEngine(*script)
    if kept is not None:
        cache.values[KEY] = kept
    return CacheReader(engine, cache=cache, codec=CODEC, tracer=NoOpTracer()), engine, cache


def keeping(*script, kept=None):
    """The layer that keeps, and its cache."""
    cache = RecordingCache()
    if kept is not None:
        cache.values[KEY] = kept
    return CacheWriter(ScriptedEngine(*script), cache=cache, codec=CODEC, rules=RULES), cache


async def test_a_kept_answer_is_given_without_asking_anybody():
    layer, engine, _ = finding(answer(GPT), kept=CODEC.dump(answer(SONNET)))
    assert await layer.decide(query()) == answer(SONNET, cached=True)
    assert engine.calls == 0


async def test_a_miss_asks():
    layer, engine, cache = finding(answer(GPT))
    assert await layer.decide(query()) == answer(GPT)
    assert (engine.calls, cache.calls) == (1, [("get", KEY)])


@pytest.mark.parametrize("raw", BAD + FOREIGN)
async def test_an_entry_that_is_bad_or_names_no_candidate_is_a_miss(raw):
    layer, _, _ = finding(answer(GPT), kept=raw)
    assert await layer.decide(query()) == answer(GPT)


async def test_a_kept_public_id_that_this_request_does_not_offer_is_a_miss():
    alias = model("z/alias", router_id=model(SONNET).router_id)
    layer, _, _ = finding(answer(OPUS), kept=CODEC.dump(answer(SONNET)))
    assert await layer.decide(replace(query(OPUS, GPT), candidates=(model(OPUS), alias))) == answer(
        OPUS
    )


@pytest.mark.parametrize(
    ("raw", "hit"), [(CODEC.dump(answer(SONNET)), True), (None, False), (FOREIGN[0], False)]
)
async def test_a_lookup_is_a_span_that_says_whether_it_hit(raw, hit):
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    layer, _, _ = finding(kept=raw)
    layer._tracer = provider.get_tracer("test")
    await layer.decide(query())
    (span,) = exporter.get_finished_spans()
    assert span.name == "pointsman.cache.lookup"
    assert span.attributes["pointsman.cached"] is hit


async def test_without_a_key_nothing_is_read_or_kept():
    layer, _, cache = finding(answer(GPT), kept=CODEC.dump(answer(SONNET)))
    assert await layer.decide(query(key=None)) == answer(GPT)
    assert cache.calls == []
    layer, cache = keeping(answer(GPT))
    assert await layer.decide(query(key=None)) == answer(GPT)
    assert cache.calls == []


async def test_a_fresh_answer_is_kept_for_the_time_that_the_policy_file_gives():
    layer, cache = keeping(answer(SONNET))
    assert await layer.decide(query()) == answer(SONNET)
    assert CODEC.load(cache.values[KEY]) == answer(SONNET, cached=True)
    assert cache.ttls == {KEY: 1_800.0}


async def test_an_answer_that_stands_in_for_a_failing_engine_is_kept_for_a_short_while():
    said = answer(SONNET, failures=(failed("timeout").failure,))
    layer, cache = keeping(said)
    assert await layer.decide(query()) == said
    assert cache.ttls == {KEY: 60.0}


async def test_failures_are_not_kept():
    layer, cache = keeping(EnginesFailed([failed("timeout").failure]))
    with pytest.raises(EnginesFailed):
        await layer.decide(query())
    assert cache.calls == []


async def test_the_failures_of_a_request_are_told_where_anothers_decision_wins():
    failures = (failed("timeout").failure,)
    layer, _ = keeping(answer(GPT, failures=failures), kept=CODEC.dump(answer(SONNET)))
    found = await layer.decide(query())
    assert (found.model, found.failures) == (SONNET, failures)


async def test_the_first_decision_wins_over_one_made_at_the_same_time_elsewhere():
    layer, cache = keeping(answer(GPT), kept=CODEC.dump(answer(SONNET)))
    assert await layer.decide(query()) == answer(SONNET, cached=True)
    assert cache.values[KEY] == CODEC.dump(answer(SONNET))


async def test_an_equal_decision_made_elsewhere_leaves_this_one_fresh():
    layer, _ = keeping(answer(SONNET), kept=CODEC.dump(answer(SONNET)))
    assert await layer.decide(query()) == answer(SONNET)


@pytest.mark.parametrize("raw", BAD + FOREIGN)
async def test_an_entry_that_is_bad_or_names_no_candidate_is_replaced(raw):
    layer, cache = keeping(answer(GPT), kept=raw)
    assert await layer.decide(query()) == answer(GPT)
    assert cache.values[KEY] == CODEC.dump(answer(GPT))
    assert cache.ttls == {KEY: 1_800.0}


async def test_what_one_layer_keeps_the_other_finds():
    cache, engine = RecordingCache(), ScriptedEngine(answer(SONNET), answer(GPT))
    chain = CacheReader(
        CacheWriter(engine, cache=cache, codec=CODEC, rules=RULES),
        cache=cache,
        codec=CODEC,
        tracer=NoOpTracer(),
    )
    found = [await chain.decide(query()) for _ in range(3)]
    assert found == [answer(SONNET), *[answer(SONNET, cached=True)] * 2]
    assert engine.calls == 1


async def test_a_bad_entry_costs_one_call_and_not_one_each_time():
    cache, engine = RecordingCache(), ScriptedEngine()
    cache.values[KEY] = b"junk"
    chain = CacheReader(
        CacheWriter(engine, cache=cache, codec=CODEC, rules=RULES),
        cache=cache,
        codec=CODEC,
        tracer=NoOpTracer(),
    )
    for _ in range(3):
        await chain.decide(query())
    assert engine.calls == 1


async def test_what_a_callers_short_deadline_forced_is_not_kept():
    cut_off = answer(SONNET, failures=(failed("deadline").failure,))
    layer, cache = keeping(cut_off)
    assert await layer.decide(query()) == cut_off
    assert cache.values == {}
