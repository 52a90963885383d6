"""Kept decisions: found before anybody is asked, kept after somebody answered."""

from __future__ import annotations

from dataclasses import replace

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NoOpTracer
from pointsman_server.chain.cached import CachedConversations, CacheWriter
from pointsman_server.core.conversation_slot import ConversationSlot, dump
from pointsman_server.core.eligible_engines import EligibleEngines
from pointsman_server.core.errors import EnginesFailed
from pointsman_server.core.model import ConversationSource, Retention
from pointsman_server.core.policy_file import CacheRules
from pointsman_server.core.preparation import Lookup, Prepared
from support.builders import CODEC, GPT, OPUS, SONNET, answer, query
from support.fakes import RecordingCache, ScriptedEngine, failed

RULES = CacheRules(ttl=1_800.0, fallback_ttl=60.0)
KEY = query().key
CONVERSATION = b"conversation"
NOW = 1_790_000_000.0
BAD = [b"", b"junk", b"null", b"\xff", CODEC.dump(answer())[:-1]]
FOREIGN = [CODEC.dump(answer("x/gone")), CODEC.dump(answer(SONNET, router_model="another"))]


def remembering(*, kept=None, writes=None):
    """What is remembered of conversations, and its cache."""
    cache, lookups = RecordingCache(), []
    if kept is not None:
        cache.values[KEY] = kept
    memory = CachedConversations(
        cache=cache,
        slots=cache,
        codec=CODEC,
        rules=RULES,
        tracer=NoOpTracer(),
        now=lambda: NOW,
        on_lookup=lookups.append,
        writes=writes,
    )
    return memory, cache, lookups


def prepared(*, key=KEY, lookup=None):
    engines = EligibleEngines(("local",))
    return Prepared(None, engines, CONVERSATION, ConversationSource.SESSION, key, lookup)


def keeping(*script, kept=None):
    """The layer that keeps, and its cache."""
    cache = RecordingCache()
    if kept is not None:
        cache.values[KEY] = kept
    return CacheWriter(ScriptedEngine(*script), cache=cache, codec=CODEC, rules=RULES), cache


async def test_a_cached_answer_and_the_slot_are_recalled():
    memory, cache, _ = remembering(kept=CODEC.dump(answer(SONNET)))
    slot = ConversationSlot(served=OPUS, routed=SONNET, router_model="s", effort=3.0)
    await memory.note(CONVERSATION, slot, before=None)
    found = await memory.recall(prepared())
    assert found.answer == answer(SONNET, cached=True)
    assert found.slot is not None
    assert found.slot.same(slot)
    assert [kind for kind, _ in cache.calls] == ["put", "get", "get"]


async def test_a_turn_that_stays_does_not_undo_what_another_has_moved_meanwhile():
    memory, _, _ = remembering()
    before = ConversationSlot(served=SONNET, routed=SONNET, router_model="s", effort=1.5)
    moved = ConversationSlot(served=OPUS, routed=OPUS, router_model="o", effort=4.5)
    stays = replace(before, compared=True)
    await memory.note(CONVERSATION, before, before=None)
    await memory.note(CONVERSATION, stays, before=before)
    assert (await memory.recall(prepared())).slot.same(stays)
    await memory.note(CONVERSATION, moved, before=before)
    await memory.note(CONVERSATION, stays, before=before)
    assert (await memory.recall(prepared())).slot.same(moved)


@pytest.mark.parametrize("raw", BAD)
async def test_an_entry_that_is_bad_is_a_miss(raw):
    memory, cache, _ = remembering(kept=raw)
    cache.values[CONVERSATION] = raw
    found = await memory.recall(prepared())
    assert (found.answer, found.slot) == (None, None)


@pytest.mark.parametrize(("raw", "hit"), [(CODEC.dump(answer(SONNET)), True), (None, False)])
async def test_a_lookup_is_a_span_that_says_whether_it_hit(raw, hit):
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    memory, _, _ = remembering(kept=raw)
    memory._tracer = provider.get_tracer("test")
    await memory.recall(prepared())
    (span,) = exporter.get_finished_spans()
    assert span.name == "pointsman.cache.lookup"
    assert span.attributes["pointsman.cached"] is hit


async def test_a_lookup_of_the_fast_path_is_not_made_again_and_counts():
    memory, cache, lookups = remembering(writes=lambda: 7)
    lookup = Lookup(CODEC.dump(answer(GPT)), None, 7)
    found = await memory.recall(prepared(lookup=lookup))
    assert found.answer == answer(GPT, cached=True)
    assert (cache.calls, lookups) == ([], ["hit"])


@pytest.mark.parametrize("writes", [lambda: 8, None])
async def test_a_lookup_that_something_was_written_after_is_made_again(writes):
    memory, cache, lookups = remembering(writes=writes)
    await memory.recall(prepared(lookup=Lookup(None, None, 7)))
    assert len(cache.calls) == 2
    assert lookups == []


async def test_a_slot_is_written_when_it_changes_and_after_half_of_its_lifetime():
    memory, cache, _ = remembering()
    slot = ConversationSlot(served=OPUS, time=int(NOW))
    await memory.note(CONVERSATION, slot, before=slot)
    assert cache.calls == []
    await memory.note(CONVERSATION, slot.serving(GPT), before=slot)
    old = ConversationSlot(served=OPUS, time=int(NOW - 1_200))
    cache.values[CONVERSATION] = dump(old)
    await memory.note(CONVERSATION, old, before=old)
    assert [kind for kind, _ in cache.calls] == ["put", "get", "put"]
    assert cache.ttls[CONVERSATION] == 1_800.0


async def test_without_a_key_nothing_is_read_or_kept():
    memory, cache, _ = remembering(kept=CODEC.dump(answer(SONNET)))
    assert (await memory.recall(prepared(key=None))).answer is None
    assert cache.calls == [("get", CONVERSATION)]
    layer, cache = keeping(answer(GPT))
    assert await layer.decide(query(key=None)) == answer(GPT)
    assert cache.calls == []


@pytest.mark.parametrize(("stand_in", "ttl"), [(False, 1_800.0), (True, 60.0)])
async def test_an_answer_that_was_weighed_takes_the_place_of_the_engines(stand_in, ttl):
    memory, cache, _ = remembering(kept=CODEC.dump(answer(SONNET)))
    weighed = answer(OPUS, pick=SONNET, stand_in=stand_in)
    await memory.hold(KEY, weighed)
    assert CODEC.load(cache.values[KEY]) == replace(weighed, cached=True)
    assert cache.ttls == {KEY: ttl}


@pytest.mark.parametrize(
    ("retention", "difficulty", "ttl"),
    [
        (Retention.FULL, "easy", 1_800.0),
        (Retention.FULL, "needs_info", 60.0),
        (Retention.TASKS_ONLY, "easy", 1_800.0),
        (Retention.TASKS_ONLY, "needs_info", None),
        (Retention.BRIEF, "easy", 60.0),
    ],
)
async def test_how_long_an_answer_is_cached_follows_from_its_prompt(retention, difficulty, ttl):
    layer, cache = keeping(answer(SONNET, difficulty=difficulty))
    await layer.decide(replace(query(), retention=retention))
    assert cache.ttls.get(KEY) == ttl


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


async def test_what_one_part_keeps_the_other_finds():
    memory, cache, _ = remembering()
    layer = CacheWriter(ScriptedEngine(answer(SONNET)), cache=cache, codec=CODEC, rules=RULES)
    await layer.decide(query())
    assert (await memory.recall(prepared())).answer == answer(SONNET, cached=True)


async def test_what_a_callers_short_deadline_forced_is_not_kept():
    cut_off = answer(SONNET, failures=(failed("deadline").failure,))
    layer, cache = keeping(cut_off)
    assert await layer.decide(query()) == cut_off
    assert cache.values == {}


async def test_an_answer_of_nobody_gives_way_to_an_engines():
    there = CODEC.dump(answer(SONNET, unasked=True))
    layer, cache = keeping(answer(GPT), kept=there)
    assert (await layer.decide(query())).model == GPT
    assert CODEC.load(cache.values[KEY]).model == GPT
