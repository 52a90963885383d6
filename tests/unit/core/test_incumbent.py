"""Conversations and the models that they are on."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import SimpleNamespace

import pytest
from pointsman_server.core.errors import EnginesFailed
from pointsman_server.core.model import (
    Constraints,
    DataPolicy,
    EngineFailure,
    RankedModel,
    Source,
    Stickiness,
    SwitchReason,
    Verdict,
)
from support.builders import (
    CODEC,
    GPT,
    OPUS,
    SONNET,
    answer,
    caller,
    catalog,
    denying,
    model,
    prompt,
    request,
    rules,
)
from support.deciding import KEEP_PROVIDER, KEYS, decider_over, picking, turns, world


async def test_a_conversation_that_goes_to_another_model_says_that_it_was_decided_anew():
    parts = world(answer(SONNET), answer(GPT), answer(GPT))
    found = await turns(parts, request(), request(prompt=prompt("two")), request())
    assert [d.switch_reason for d in found] == [None, SwitchReason.REDECIDED, None]


async def test_a_conversation_whose_model_may_not_serve_any_more_says_so():
    parts = world(answer(SONNET), answer(GPT))
    found = await turns(parts, request(), request(constraints=denying(SONNET)))
    assert [d.switch_reason for d in found] == [None, SwitchReason.INELIGIBLE]


async def test_conversations_have_incumbents_of_their_own():
    parts = world(answer(SONNET), answer(GPT))
    found = await turns(parts, request(), request(caller=caller(user_id="user-2")))
    assert [d.switch_reason for d in found] == [None, None]


async def test_the_incumbent_outlives_a_change_of_the_policy_file():
    parts = world(answer(SONNET), answer(GPT))
    await parts.decider.decide(request())
    parts.rules = rules(rules_digest=b"changed")
    (found,) = await turns(SimpleNamespace(decider=decider_over(parts)), request())
    assert found.switch_reason is SwitchReason.REDECIDED


@pytest.mark.parametrize("raw", [b"", b"junk", b"{}", CODEC.dump(answer())[:-1]])
async def test_an_incumbent_that_cannot_be_read_is_none(raw):
    parts = world(answer(GPT))
    parts.cache.values[KEYS.conversation(request())[0]] = raw
    found = await parts.decider.decide(request())
    assert found.decision.switch_reason is None


async def test_a_prompt_too_ambiguous_to_size_does_not_move_the_incumbent():
    """The static pick was served: the conversation is not on the model that was named."""
    parts = world(answer(SONNET), answer(GPT, difficulty="needs_info"), picking(GPT))
    await parts.decider.decide(request())
    ambiguous = await parts.decider.decide(request(prompt=prompt("it")))
    assert ambiguous.decision.switch_reason is None
    fenced = await parts.decider.decide(request(prompt=prompt("go on"), constraints=KEEP_PROVIDER))
    assert fenced.decision.model in (OPUS, SONNET)


# ---------------------------------------------------------------- without an engine's answer

EASY, HARD = "easy", "hard"
PRICED = catalog(
    model(OPUS, input_price=5.0, output_price=25.0),
    model(SONNET, input_price=3.0, output_price=15.0),
    model(GPT, input_price=5.0, output_price=30.0),
)
WIDE = Constraints(prompt_tokens_estimate=80_000)


def adaptive(*script, **file):
    return world(*script, **{"stickiness": Stickiness.ADAPTIVE, "catalog": PRICED} | file)


def said(name, difficulty):
    return answer(name, difficulty=difficulty, confidence=0.9, source=Source.MORPH)


def task(number, **changes):
    changes = {"constraints": WIDE} | changes
    return request(**{"prompt": prompt(f"Do task {number}")} | changes)


async def settled_on_opus(**file):
    """A conversation on Opus for a hard task, whose next task was weighed and stayed."""
    parts = adaptive(said(OPUS, HARD), said(SONNET, EASY), said(GPT, EASY), **file)
    await turns(parts, task(1), task(2))
    assert parts.engine.calls == 2
    return parts


async def test_no_engine_is_called_where_no_answer_could_move_the_conversation():
    parts = await settled_on_opus()
    found = await parts.decider.decide(task(3))
    assert parts.engine.calls == 2
    assert (found.verdict, found.serve_model) == (Verdict.ROUTED, OPUS)
    assert found.decision.sticky
    assert found.decision.answer.explanation == (
        f"conversation stays: it was chosen for a hard task, and 4 turns cost $0.2100 on {OPUS}"
        f" and $0.3420 on {SONNET}: no engine is called"
    )


async def test_what_was_not_asked_is_cached_and_holds_for_its_prompt():
    parts = await settled_on_opus()
    await turns(parts, task(3))
    key = next(k for k, raw in parts.cache.values.items() if is_unasked(raw))
    assert CODEC.load(parts.cache.values[key]).model == OPUS
    again = await parts.decider.decide(task(3))
    assert (again.serve_model, again.decision.sticky) == (OPUS, True)
    assert parts.engine.calls == 2


def is_unasked(raw):
    loaded = CODEC.load(raw)
    return loaded is not None and loaded.unasked


@pytest.mark.parametrize(
    "changes",
    [
        {"constraints": Constraints(prompt_tokens_estimate=1_000)},
        {"prompt": prompt("Do task 3", context_reset=True)},
        {
            "constraints": Constraints(
                prompt_tokens_estimate=80_000, denied_models=frozenset({OPUS})
            )
        },
        {"data_policy": DataPolicy.THIRD_PARTY_DENIED},
    ],
    ids=["a switch saves", "the context was rebuilt", "it may not serve", "it costs nothing"],
)
async def test_an_engine_is_called_where_an_answer_may_move_the_conversation(changes):
    parts = await settled_on_opus()
    await parts.decider.decide(task(3, **changes))
    assert parts.engine.calls == 3


async def test_a_cached_prompt_that_nobody_was_asked_about_is_asked_about_later():
    parts = await settled_on_opus()
    await turns(parts, task(3))
    moved = await parts.decider.decide(
        request(prompt=prompt("Do task 3", context_reset=True), constraints=WIDE)
    )
    assert parts.engine.calls == 3
    assert moved.decision.switch_reason is SwitchReason.RESET


async def test_a_model_with_levels_of_reasoning_effort_is_asked_about():
    levels = replace(PRICED[OPUS], reasoning_efforts=("low", "high"))
    parts = await settled_on_opus(catalog=PRICED | {OPUS: levels})
    found = await parts.decider.decide(task(3))
    assert parts.engine.calls == 3
    assert found.decision.answer.reasoning_effort == "low"


async def test_the_task_after_a_first_decision_is_always_asked_about():
    parts = adaptive(said(OPUS, HARD), said(SONNET, EASY))
    await turns(parts, task(1))
    await parts.decider.decide(task(2))
    assert parts.engine.calls == 2


DOWN = (EngineFailure(engine="morph", stage="timeout"),)


async def test_a_conversation_stays_on_its_model_while_all_engines_fail():
    parts = adaptive(said(SONNET, EASY), EnginesFailed(DOWN), said(OPUS, HARD))
    await turns(parts, task(1))
    found = await parts.decider.decide(task(2))
    assert (found.verdict, found.reason, found.serve_model) == (Verdict.ROUTED, None, SONNET)
    assert (found.decision.sticky, found.failures) == (True, DOWN)
    assert found.decision.answer.explanation == "conversation stays: no engine answered"
    # Nothing was cached: the next request asks again.
    assert (await parts.decider.decide(task(2))).serve_model == OPUS


async def test_a_conversation_stays_on_its_model_where_no_engine_may_read_the_prompt():
    parts = adaptive(said(SONNET, EASY), engines=("morph",))
    await turns(parts, task(1))
    found = await parts.decider.decide(task(2, data_policy=DataPolicy.THIRD_PARTY_DENIED))
    assert parts.engine.calls == 1
    assert (found.verdict, found.serve_model) == (Verdict.ROUTED, SONNET)
    assert found.decision.answer.explanation == (
        "conversation stays: no engine may read the prompt"
    )


@pytest.mark.parametrize("stickiness", [Stickiness.EXACT, Stickiness.CONVERSATION])
async def test_under_other_stickiness_the_static_pick_serves_while_all_engines_fail(stickiness):
    parts = world(said(SONNET, EASY), EnginesFailed(DOWN), stickiness=stickiness)
    await turns(parts, task(1))
    found = await parts.decider.decide(task(2))
    assert (found.verdict, found.serve_model) == (Verdict.FAILED, OPUS)


async def test_a_prompt_that_moved_a_conversation_is_explained_as_staying_when_it_comes_again():
    parts = adaptive(said(SONNET, EASY), said(OPUS, HARD))
    await turns(parts, task(1))
    first, again = await turns(parts, task(2), task(2))
    why = f"the prompt takes more than {SONNET} was chosen for"
    assert first.answer.explanation == f"conversation switches: {why}"
    assert (again.sticky, again.answer.cached) == (True, True)
    assert again.answer.explanation == f"conversation stays on this prompt's model: {why}"


async def test_a_turn_in_flight_that_stays_does_not_undo_the_upgrade_of_another():
    late = asyncio.Event()

    async def decide(query):
        if query.prompt == "Do task 2":
            await late.wait()
        return said(OPUS, HARD) if query.prompt == "Do task 3" else said(SONNET, EASY)

    parts = adaptive()
    parts.engine.decide = decide
    await turns(parts, task(1))
    slow = asyncio.create_task(parts.decider.decide(task(2)))
    await asyncio.sleep(0)
    upgraded = await parts.decider.decide(task(3))
    assert upgraded.decision.switch_reason is SwitchReason.UPGRADE
    late.set()
    assert (await slow).serve_model == SONNET
    assert (await parts.decider.decide(task(4, prompt=prompt("continue")))).serve_model == OPUS


async def test_a_share_of_conversations_is_served_whole_and_the_others_are_only_recorded():
    """Strictly between none and all: each conversation is on one side, with the same decisions."""
    levels = replace(PRICED[SONNET], reasoning_efforts=("low", "medium", "high"))
    parts = adaptive(picking(SONNET), serve_percent=30.0, catalog=PRICED | {SONNET: levels})
    served = {}
    for number in range(80):
        whose = caller(session_id=f"session-{number}")
        found = [await parts.decider.decide(task(n, caller=whose)) for n in (1, 2)]
        assert [f.decision.model for f in found] == [SONNET, SONNET]
        assert [f.decision.sticky for f in found] == [False, True]
        models = {(f.serve_model, f.shadow) for f in found}
        assert models in ({(SONNET, False)}, {(OPUS, True)})
        served[number] = (SONNET, False) in models
    assert 10 <= sum(served.values()) <= 40


async def test_a_raised_effort_is_advice_for_served_and_for_recorded_conversations_alike():
    levels = replace(PRICED[SONNET], reasoning_efforts=("low", "medium", "high"))
    scores = (RankedModel(model=OPUS, score=0.82), RankedModel(model=SONNET, score=0.80))
    hard = answer(OPUS, difficulty=HARD, confidence=0.9, ranking=scores)
    sides = {}
    for percent in (0.0, 40.0, 100.0):
        for number in range(12):
            parts = adaptive(
                said(SONNET, EASY), hard, serve_percent=percent, catalog=PRICED | {SONNET: levels}
            )
            whose = caller(session_id=f"session-{number}")
            await parts.decider.decide(task(1, caller=whose))
            found = await parts.decider.decide(task(2, caller=whose))
            assert (found.decision.model, found.decision.answer.reasoning_effort) == (
                SONNET,
                "high",
            )
            assert found.serve_model == (OPUS if found.shadow else SONNET)
            sides.setdefault(percent, set()).add(found.shadow)
    assert sides == {0.0: {True}, 40.0: {True, False}, 100.0: {False}}
