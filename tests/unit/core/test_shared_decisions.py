"""Requests that share a decision, and requests that do not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pointsman_server.core.model import (
    DataPolicy,
    Stickiness,
)
from support.builders import (
    FLASH,
    GPT,
    LEGACY,
    OPUS,
    SMALL,
    SONNET,
    answer,
    caller,
    denying,
    prompt,
    request,
    routing,
    rules,
)
from support.deciding import KEEP_PROVIDER, asked, world


async def key_of(parts, **changes):
    return (await asked(parts, **changes)).key


@pytest.mark.parametrize(
    "changes",
    [
        {"routing": routing(tier=SMALL)},
        {"routing": routing(OPUS, SONNET)},
        {"routing": routing(static_pick=SONNET)},
        {"data_policy": DataPolicy.THIRD_PARTY_DENIED},
        {"caller": caller(user_id="user-2")},
        {"caller": caller(session_id="session-2")},
        {"prompt": prompt("Another")},
        {"prompt": prompt(message_count=64)},
        {"constraints": denying(GPT)},
    ],
    ids=str,
)
async def test_a_decision_is_not_shared_when_what_it_depends_on_differs(changes):
    parts = world()
    assert await key_of(parts) != await key_of(parts, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"requested_model": GPT},
        {"body_bytes": 9},
        {"caller": caller(mode="plan", user_agent="a/2", machine_id="m", client_request_id="r")},
        {"prompt": prompt(stream=True)},
        {"routing": routing(GPT, SONNET, OPUS)},
        {"constraints": KEEP_PROVIDER},
        {"constraints": denying(FLASH)},
        {"routing": routing(OPUS, "x/unmapped", SONNET, GPT)},
    ],
    ids=str,
)
async def test_a_decision_is_shared_when_only_what_does_not_matter_differs(changes):
    parts = world()
    assert await key_of(parts) == await key_of(parts, **changes)


async def test_tiers_with_one_policy_share_decisions():
    tiers = {n: replace(rules().tiers[LEGACY], name=n) for n in (LEGACY, "kilo-auto/balanced")}
    parts = world(tiers=tiers)
    assert await key_of(parts, routing=routing(tier=LEGACY)) == await key_of(
        parts, routing=routing(tier="kilo-auto/balanced")
    )


async def test_turning_the_flag_off_hides_decisions_that_morph_made():
    parts = world()
    on = await key_of(parts)
    parts.switches.morph_router_enabled = False
    assert await key_of(parts) != on


async def test_under_conversation_stickiness_another_prompt_asks_for_the_same_decision():
    parts = world(stickiness=Stickiness.CONVERSATION)
    assert await key_of(parts) == await key_of(parts, prompt=prompt("Another", message_count=64))


@pytest.mark.parametrize(
    ("stickiness", "sticky"), [(Stickiness.CONVERSATION, True), (Stickiness.EXACT, False)]
)
async def test_a_kept_answer_is_sticky_where_decisions_hold_for_conversations(stickiness, sticky):
    parts = world(answer(cached=True), stickiness=stickiness)
    decision = (await parts.decider.decide(request())).decision
    assert decision.answer.cached
    assert decision.sticky is sticky
    assert decision.switch_reason is None
