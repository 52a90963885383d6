"""Engines in order: the first that answers decides."""

from __future__ import annotations

import pytest
from pointsman_server.chain.fallback import Fallback
from pointsman_server.core.errors import EnginesFailed
from pointsman_server.core.model import EngineFailure, Source
from support.builders import GPT, SONNET, answer, query
from support.fakes import ScriptedEngine, failed

LOCAL = answer(GPT, source=Source.LOCAL)


def both(morph, local=LOCAL):
    engines = {"local": ScriptedEngine(local), "morph": ScriptedEngine(morph)}
    return Fallback(engines), engines


async def test_the_first_engine_that_answers_decides_and_no_other_is_asked():
    chain, engines = both(answer(SONNET))
    assert await chain.decide(query()) == answer(SONNET)
    assert engines["local"].calls == 0


async def test_the_query_gives_the_order():
    chain, engines = both(answer(SONNET))
    assert await chain.decide(query(engines=("local", "morph"))) == LOCAL
    assert engines["morph"].calls == 0


async def test_an_engine_not_in_force_is_not_asked():
    chain, engines = both(answer(SONNET))
    assert await chain.decide(query(engines=("local",))) == LOCAL
    assert engines["morph"].calls == 0


async def test_an_answer_tells_the_failures_before_it():
    chain, _ = both(failed("timeout"))
    found = await chain.decide(query())
    assert found.model == GPT
    assert found.failures == (EngineFailure(engine="morph", stage="timeout"),)


async def test_when_all_fail_each_failure_is_told_in_the_order_of_asking():
    chain, _ = both(failed("timeout"), failed("unexpected_error", engine="local"))
    with pytest.raises(EnginesFailed) as caught:
        await chain.decide(query())
    assert caught.value.failures == (
        EngineFailure(engine="morph", stage="timeout"),
        EngineFailure(engine="local", stage="unexpected_error"),
    )


async def test_every_engine_is_told_the_same():
    chain, engines = both(failed("timeout"))
    asked = query()
    await chain.decide(asked)
    assert [e.queries for e in engines.values()] == [[asked], [asked]]
