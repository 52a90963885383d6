"""An answer that stands in for a failed engine does not keep a conversation from that engine."""

from __future__ import annotations

from pointsman_server.core.model import Constraints, Source, Stickiness
from support.builders import CODEC, GPT, OPUS, SONNET, answer, catalog, model, prompt, request
from support.deciding import turns, world

PRICED = catalog(
    model(OPUS, input_price=5.0, output_price=25.0),
    model(SONNET, input_price=3.0, output_price=15.0),
    model(GPT, input_price=5.0, output_price=30.0),
)
STAND_IN = answer(OPUS, source=Source.LOCAL, stand_in=True)


def task(number):
    wide = Constraints(prompt_tokens_estimate=80_000)
    return request(prompt=prompt(f"Do task {number}"), constraints=wide)


async def tool_loop(*later):
    """A conversation whose hard first decision stands in, and was repeated; the engine is back."""
    parts = world(STAND_IN, *later, stickiness=Stickiness.ADAPTIVE, catalog=PRICED)
    await turns(parts, task(1))
    key = parts.engine.queries[0].key
    await parts.cache.add(key, CODEC.dump(STAND_IN), ttl=60)
    await turns(parts, task(1), task(1))
    assert parts.engine.calls == 1
    return parts, key


async def test_after_a_stand_in_the_next_task_asks_the_engine():
    parts, _ = await tool_loop(answer(OPUS), answer(OPUS))
    await turns(parts, task(2))
    assert parts.engine.calls == 2
    # The engine's own answer is a comparison.
    await turns(parts, task(3))
    assert parts.engine.calls == 2


async def test_a_tool_loop_does_not_prolong_a_stand_in():
    parts, key = await tool_loop(answer(OPUS))
    assert ("put", key) not in parts.cache.calls
    del parts.cache.values[key]
    (found,) = await turns(parts, task(1))
    assert (parts.engine.calls, found.answer.source) == (2, Source.MORPH)


async def test_an_answer_that_is_not_sure_enough_to_switch_is_a_comparison():
    """It was asked for, the log has its figures, and no later answer could move more."""
    parts, _ = await tool_loop(answer(GPT, confidence=0.1))
    await turns(parts, task(2), task(3))
    assert parts.engine.calls == 2
