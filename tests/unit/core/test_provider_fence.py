"""`keep_provider`: the candidates that may read the state of a conversation."""

from __future__ import annotations

import pytest
from pointsman_server.core.conversation_slot import load
from pointsman_server.core.model import (
    Constraints,
    Dropped,
    DropReason,
    Mode,
    Reason,
    SwitchReason,
    Verdict,
)
from support.builders import (
    GPT,
    OPUS,
    SONNET,
    answer,
    caller,
    catalog,
    model,
    prompt,
    request,
    routing,
    rules,
)
from support.deciding import KEEP_PROVIDER, decider_over, picking, world
from support.fakes import (
    FixedSwitches,
)


async def test_the_fence_leaves_only_the_incumbents_provider():
    parts = world(answer(SONNET), picking(GPT))
    await parts.decider.decide(request())
    found = await parts.decider.decide(
        request(prompt=prompt("two"), constraints=KEEP_PROVIDER, routing=routing(GPT, OPUS, SONNET))
    )
    query = parts.engine.queries[-1]
    assert [m.public_id for m in query.candidates] == [OPUS, SONNET]
    assert found.decision.dropped == (Dropped(model=GPT, reason=DropReason.OTHER_PROVIDER),)
    assert found.decision.candidate_count == 2
    assert set(found.decision.fallback_models) <= {OPUS, SONNET}


async def test_the_fence_moves_the_default_to_one_of_its_own():
    parts = world(answer(SONNET))
    await parts.decider.decide(request())
    fenced = request(
        constraints=KEEP_PROVIDER, prompt=prompt("two"), routing=routing(static_pick=GPT)
    )
    await parts.decider.decide(fenced)
    assert parts.engine.queries[-1].default.public_id == OPUS


async def test_with_nothing_known_the_fence_is_the_static_picks_provider():
    parts = world(answer(SONNET))
    found = await parts.decider.decide(request(constraints=KEEP_PROVIDER))
    assert found.decision.candidate_count == 2
    free = request(
        constraints=KEEP_PROVIDER, caller=caller(user_id="u2"), routing=routing(static_pick=None)
    )
    assert (await parts.decider.decide(free)).decision.candidate_count == 3


@pytest.mark.parametrize("off", [{"mode": Mode.OFF}, {"engines": ("morph",)}], ids=str)
async def test_the_fence_holds_to_what_was_served_while_routing_was_off(off):
    parts = world(answer(GPT), picking(SONNET), flag_on="mode" in off)
    switches, parts.switches = parts.switches, FixedSwitches(morph_router_enabled=True)
    await decider_over(parts).decide(request())
    whole, parts.rules, parts.switches = parts.rules, rules(**off), switches
    assert (await decider_over(parts).decide(request())).verdict is Verdict.OFF
    parts.rules, parts.switches = whole, FixedSwitches(morph_router_enabled=True)
    found = await decider_over(parts).decide(
        request(prompt=prompt("two"), constraints=KEEP_PROVIDER)
    )
    assert found.decision.candidate_count == 2


@pytest.mark.parametrize(
    ("served", "stored", "candidates"),
    [("anthropic/of-tomorrow", "anthropic/", 2), ("elsewhere/any", "/", 0), ("bare", "/", 0)],
)
async def test_the_fence_holds_to_the_provider_of_a_model_outside_the_catalog(
    served, stored, candidates
):
    parts = world(picking(SONNET))
    skipped = request(routing=routing(tier="no/tier", static_pick=served))
    assert (await parts.decider.decide(skipped)).serve_model == served
    [slot] = [load(raw) for raw in parts.cache.values.values()]
    assert slot.served == stored
    found = await parts.decider.decide(
        request(constraints=KEEP_PROVIDER, routing=routing(static_pick=GPT))
    )
    if candidates:
        assert found.decision.candidate_count == candidates
    else:
        assert (found.reason, found.serve_model) == (Reason.PROVIDER_FENCE, GPT)


async def test_without_keep_provider_there_is_no_fence():
    parts = world(answer(SONNET), answer(GPT))
    await parts.decider.decide(request())
    assert (await parts.decider.decide(request(prompt=prompt("two")))).decision.model == GPT


async def test_an_incumbent_alone_behind_the_fence_stays_without_asking_anybody():
    parts = world(answer(GPT))
    await parts.decider.decide(request())
    found = await parts.decider.decide(request(prompt=prompt("two"), constraints=KEEP_PROVIDER))
    assert parts.engine.calls == 1
    assert (found.verdict, found.serve_model) == (Verdict.ROUTED, GPT)
    assert found.decision.sticky
    assert found.decision.answer.cached
    assert found.decision.fallback_models == ()
    assert found.decision.candidate_count == 1


async def test_a_fence_with_another_candidate_of_the_provider_behind_it_asks():
    known = [*catalog().values(), model("openai/other")]
    parts = world(answer(GPT), answer("openai/other"), catalog=catalog(*known))
    await parts.decider.decide(request())
    found = await parts.decider.decide(
        request(constraints=KEEP_PROVIDER, routing=routing(OPUS, SONNET, "openai/other"))
    )
    assert found.serve_model == "openai/other"
    assert parts.engine.calls == 2


async def test_a_fence_with_nothing_behind_it_is_a_skip():
    parts = world(answer(GPT))
    await parts.decider.decide(request())
    found = await parts.decider.decide(
        request(constraints=KEEP_PROVIDER, routing=routing(OPUS, SONNET))
    )
    assert (found.verdict, found.reason) == (Verdict.SKIPPED, Reason.PROVIDER_FENCE)
    assert found.serve_model == OPUS
    assert DropReason.OTHER_PROVIDER in {d.reason for d in found.dropped}
    assert parts.engine.calls == 1


async def test_the_fence_holds_when_the_incumbent_itself_may_not_serve():
    """Its tool state can still only be read by its provider."""
    parts = world(answer(SONNET), picking(GPT))
    known = [*catalog().values(), model("anthropic/other")]
    parts.rules = rules(catalog=catalog(*known))
    parts.decider = decider_over(parts)
    wide = routing(OPUS, SONNET, GPT, "anthropic/other")
    await parts.decider.decide(request(routing=wide))
    found = await parts.decider.decide(
        request(
            routing=wide,
            constraints=Constraints(keep_provider=True, denied_models=frozenset({SONNET})),
        )
    )
    assert found.decision.model in (OPUS, "anthropic/other")
    assert found.decision.switch_reason is SwitchReason.INELIGIBLE
