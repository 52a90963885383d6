"""The ladder that every request climbs, over a scripted engine and a cache that remembers."""

from __future__ import annotations

import asyncio
import os
import uuid
from dataclasses import replace
from types import SimpleNamespace

import pytest
from opentelemetry.trace import NoOpTracer
from pointsman_server.chain.cached import CachedConversations
from pointsman_server.core.candidate_plan import Planner
from pointsman_server.core.conversation_slot import load
from pointsman_server.core.decider import Decider
from pointsman_server.core.errors import EnginesFailed
from pointsman_server.core.ids import DecisionIds
from pointsman_server.core.keys import Keys
from pointsman_server.core.model import (
    Classification,
    Constraints,
    ConversationSource,
    DataPolicy,
    Dropped,
    DropReason,
    EngineFailure,
    Head,
    Mode,
    Organizations,
    Reason,
    RoutingContext,
    Source,
    Stickiness,
    SwitchReason,
    Verdict,
)
from pointsman_server.engines.local.turns import LexicalTurnReader
from support.builders import (
    CODEC,
    FLASH,
    FRONTIER,
    GPT,
    LEGACY,
    OPUS,
    SMALL,
    SONNET,
    answer,
    caller,
    catalog,
    denying,
    model,
    prompt,
    request,
    routing,
    rules,
)
from support.fakes import (
    FakeClock,
    FixedClassification,
    FixedSwitches,
    RecordingCache,
    RecordingObserver,
    ScriptedEngine,
    failed,
)

KEYS = Keys(b"secret")
KEEP_PROVIDER = Constraints(keep_provider=True)


def world(*script, flag_on=True, classification=None, gate=None, **file):
    """A decider and all that it was built from."""
    parts = SimpleNamespace(
        rules=rules(**file),
        engine=ScriptedEngine(*script, gate=gate),
        cache=RecordingCache(),
        switches=FixedSwitches(morph_router_enabled=flag_on),
        classification=FixedClassification(classification),
        clock=FakeClock(),
        observer=RecordingObserver(),
    )
    parts.decider = decider_over(parts)
    return parts


def decider_over(parts):
    return Decider(
        rules=parts.rules,
        engine=parts.engine,
        planner=Planner(parts.rules),
        memory=CachedConversations(
            cache=parts.cache,
            slots=parts.cache,
            codec=CODEC,
            rules=parts.rules.cache,
            tracer=NoOpTracer(),
            now=parts.clock.time,
            on_lookup=lambda _: None,
            writes=None,
        ),
        reader=LexicalTurnReader(),
        switches=parts.switches,
        classification=parts.classification,
        keys=KEYS,
        clock=parts.clock,
        new_id=DecisionIds(clock=parts.clock, entropy=os.urandom),
        observers=[parts.observer],
    )


async def asked(parts, **changes):
    """The query that the engine got for a request."""
    await parts.decider.decide(request(**changes))
    return parts.engine.queries[-1]


def picking(public_id):
    """A script step that picks this model if it may."""
    return lambda query: (
        answer(public_id)
        if any(m.public_id == public_id for m in query.candidates)
        else answer(query.candidates[0].public_id)
    )


# ---------------------------------------------------------------- the steps, in order

NOT_ROUTED = [
    ({"routing": None}, {}, Verdict.OFF, Reason.NO_ROUTING_CONTEXT),
    ({}, {"mode": Mode.OFF}, Verdict.OFF, Reason.MODE_OFF),
    ({}, {"engines": ("morph",), "flag_on": False}, Verdict.OFF, Reason.FLAG_OFF),
    ({"routing": routing(tier="no/tier")}, {}, Verdict.SKIPPED, Reason.UNKNOWN_TIER),
    ({"routing": routing(tier="Kilo-Auto/Frontier")}, {}, Verdict.SKIPPED, Reason.UNKNOWN_TIER),
    ({"prompt": prompt(None)}, {}, Verdict.SKIPPED, Reason.NO_PROMPT),
    ({"prompt": prompt(" \n", first="")}, {}, Verdict.SKIPPED, Reason.NO_PROMPT),
    ({"routing": routing(OPUS)}, {}, Verdict.SKIPPED, Reason.INSUFFICIENT_CANDIDATES),
    ({"routing": routing(OPUS, OPUS)}, {}, Verdict.SKIPPED, Reason.INSUFFICIENT_CANDIDATES),
    (
        {"data_policy": DataPolicy.THIRD_PARTY_DENIED},
        {"engines": ("morph",)},
        Verdict.SKIPPED,
        Reason.THIRD_PARTY_DENIED,
    ),
    (
        {"caller": caller(organization_id="org")},
        {},
        Verdict.OFF,
        Reason.ORGANIZATION_EXCLUDED,
    ),
    (
        {"caller": caller(organization_id="org")},
        {"engines": ("morph",), "organizations": Organizations.LOCAL_ONLY},
        Verdict.SKIPPED,
        Reason.THIRD_PARTY_DENIED,
    ),
]


@pytest.mark.parametrize(("changes", "file", "verdict", "reason"), NOT_ROUTED, ids=str)
async def test_a_request_with_nothing_to_decide_gets_the_static_pick_and_nobody_is_called(
    changes, file, verdict, reason
):
    parts = world(**file)
    found = await parts.decider.decide(request(**changes))
    assert (found.verdict, found.reason) == (verdict, reason)
    assert found.serve_model == ("" if changes.get("routing", True) is None else OPUS)
    assert found.decision is None
    assert found.failures == ()
    assert not found.shadow
    assert parts.engine.calls == 0
    slots = [load(raw) for raw in parts.cache.values.values()]
    served = [(slot.served, slot.routed) for slot in slots]
    untouched = reason in {Reason.NO_ROUTING_CONTEXT, Reason.ORGANIZATION_EXCLUDED}
    assert served == ([] if untouched else [(OPUS, "")])


ALL_WRONG = {"prompt": prompt(None), "routing": routing(OPUS, tier="no/tier")}
TWO_WRONG = {"prompt": prompt(None), "routing": routing(OPUS)}


@pytest.mark.parametrize(
    ("changes", "file", "reason"),
    [
        ({"routing": None, "prompt": prompt(None)}, {"mode": Mode.OFF}, Reason.NO_ROUTING_CONTEXT),
        (
            ALL_WRONG,
            {"mode": Mode.OFF, "engines": ("morph",), "flag_on": False},
            Reason.MODE_OFF,
        ),
        (ALL_WRONG, {"engines": ("morph",), "flag_on": False}, Reason.FLAG_OFF),
        (ALL_WRONG, {}, Reason.UNKNOWN_TIER),
        (TWO_WRONG, {}, Reason.NO_PROMPT),
        (
            {"routing": routing(OPUS), "data_policy": DataPolicy.THIRD_PARTY_DENIED},
            {"engines": ("morph",)},
            Reason.INSUFFICIENT_CANDIDATES,
        ),
    ],
    ids=str,
)
async def test_the_first_step_that_ends_the_ladder_gives_the_reason(changes, file, reason):
    assert (await world(**file).decider.decide(request(**changes))).reason is reason


async def test_off_before_the_flag_is_read():
    parts = world(mode=Mode.OFF)
    await parts.decider.decide(request())
    assert parts.switches.reads == 0


async def test_a_skip_for_want_of_candidates_says_which_were_dropped_and_why():
    found = await world().decider.decide(request(routing=routing("x/one", OPUS, FRONTIER)))
    assert found.dropped == (
        Dropped(model="x/one", reason=DropReason.UNMAPPED),
        Dropped(model=FRONTIER, reason=DropReason.VIRTUAL),
    )


async def test_a_tiers_own_candidates_are_used_only_when_the_request_sends_none():
    tier = replace(rules().tiers[FRONTIER], default_candidates=(GPT, FLASH))
    parts = world(tiers={FRONTIER: tier})
    bare = RoutingContext(auto_model=FRONTIER, resolved_model=OPUS)
    assert [m.public_id for m in (await asked(parts, routing=bare)).candidates] == [GPT, FLASH]
    sent = await asked(parts, routing=routing(OPUS, SONNET))
    assert [m.public_id for m in sent.candidates] == [OPUS, SONNET]


# ---------------------------------------------------------------- what the engine is told


@pytest.mark.parametrize(
    ("tier", "policy"),
    [(FRONTIER, "capability_heavy"), (SMALL, "cost_efficient"), (LEGACY, "balanced")],
)
async def test_the_engine_is_told_the_tiers_policy(tier, policy):
    assert (await asked(world(), routing=routing(tier=tier))).policy == policy


async def test_the_engine_is_told_candidates_in_order_without_those_dropped():
    found = await asked(world(), routing=routing(GPT, "x/one", OPUS), constraints=denying(SONNET))
    assert [m.public_id for m in found.candidates] == [GPT, OPUS]


@pytest.mark.parametrize(
    ("static_pick", "default"),
    [(SONNET, SONNET), (None, OPUS), ("x/other", OPUS), ("z/alias", SONNET)],
)
async def test_the_default_is_the_candidate_that_the_static_pick_names_else_the_first(
    static_pick, default
):
    known = [*catalog().values(), model("z/alias", router_id=model(SONNET).router_id)]
    parts = world(catalog=catalog(*known))
    found = await asked(parts, routing=routing(OPUS, SONNET, static_pick=static_pick))
    assert found.default.public_id == default


async def test_the_engine_is_told_the_chosen_prompt_and_nothing_of_the_caller():
    secrets = {
        "user_id": "canary-user",
        "session_id": "canary-session",
        "machine_id": "canary-machine",
        "client_request_id": "canary-request",
        "user_agent": "canary-agent",
        "mode": "canary-mode",
    }
    found = await asked(
        world(),
        caller=caller(**secrets),
        prompt=prompt("  Now add tests ", first="Open", system="canary-system"),
        requested_model=FRONTIER,
    )
    assert found.prompt == "Now add tests"
    assert "canary" not in repr(found)


@pytest.mark.parametrize(
    ("changes", "flag_on", "engines"),
    [
        ({}, True, ("morph", "local")),
        ({}, False, ("local",)),
        ({"data_policy": DataPolicy.THIRD_PARTY_DENIED}, True, ("local",)),
        ({"caller": caller(organization_id="org")}, True, ("local",)),
    ],
    ids=str,
)
async def test_the_engine_is_told_which_engines_are_in_force(changes, flag_on, engines):
    parts = world(flag_on=flag_on, organizations=Organizations.LOCAL_ONLY)
    assert (await asked(parts, **changes)).engines == engines


async def test_the_callers_deadline_reaches_the_engine():
    parts = world()
    await parts.decider.decide(request(), deadline=1_234.5)
    assert parts.engine.queries[0].deadline == 1_234.5


# ---------------------------------------------------------------- what is answered


async def test_a_decision_says_where_it_came_from_and_what_else_could_serve():
    found = await world(answer(SONNET)).decider.decide(
        request(routing=routing("x/one", GPT, SONNET, OPUS))
    )
    decision = found.decision
    assert found.verdict is Verdict.ROUTED
    assert found.serve_model == SONNET
    assert found.reason is None
    assert found.policy_version == "v1"
    assert (decision.model, decision.answer.source) == (SONNET, Source.MORPH)
    assert decision.policy == "capability_heavy"
    assert decision.candidate_count == 3
    assert decision.dropped == (Dropped(model="x/one", reason=DropReason.UNMAPPED),)
    assert decision.fallback_models == (OPUS, GPT)
    assert decision.conversation_source is ConversationSource.SESSION
    assert decision.propensity == 1.0
    assert not decision.sticky
    assert decision.switch_reason is None


async def test_every_answer_has_an_id_of_its_own_with_the_time_in_it():
    parts = world()
    ids = [(await parts.decider.decide(request(**c))).decision_id for c in ({}, {"routing": None})]
    assert len(set(ids)) == 2
    assert {uuid.UUID(i).int >> 80 for i in ids} == {int(parts.clock.epoch * 1_000)}


@pytest.mark.parametrize(
    "file", [{"mode": Mode.SHADOW}, {"serve_percent": 0.0}], ids=["shadow", "share"]
)
async def test_a_shadow_decision_is_recorded_and_the_static_pick_served(file):
    found = await world(**file).decider.decide(request())
    assert (found.verdict, found.shadow, found.serve_model) == (Verdict.ROUTED, True, OPUS)
    assert found.decision.model == SONNET


async def test_one_conversation_never_flips_between_served_and_not():
    parts = world(serve_percent=50.0)
    shadows = {
        user: {
            (
                await parts.decider.decide(
                    request(caller=caller(user_id=user), prompt=prompt(text, message_count=n))
                )
            ).shadow
            for n, text in enumerate(["one", "two", "three"])
        }
        for user in map(str, range(40))
    }
    assert all(len(seen) == 1 for seen in shadows.values())
    assert set.union(*shadows.values()) == {True, False}


async def test_an_ambiguous_prompt_is_routed_and_served_the_static_pick():
    said = answer(SONNET, difficulty="needs_info")
    found = await world(said).decider.decide(
        request(routing=routing(SONNET, GPT, static_pick="x/not-a-candidate"))
    )
    assert (found.verdict, found.reason) == (Verdict.ROUTED, Reason.AMBIGUOUS)
    assert found.serve_model == "x/not-a-candidate"
    assert found.decision.model == SONNET


# ---------------------------------------------------------------- failures

DOWN = (
    EngineFailure(engine="morph", stage="timeout"),
    EngineFailure(engine="local", stage="unexpected_error"),
)


@pytest.mark.parametrize(
    ("error", "failures"),
    [(EnginesFailed(DOWN), DOWN), (failed("http_503"), (failed("http_503").failure,))],
    ids=["all", "one"],
)
async def test_when_engines_fail_the_static_pick_is_served_and_each_failure_told(error, failures):
    found = await world(error).decider.decide(request())
    assert (found.verdict, found.reason) == (Verdict.FAILED, Reason.ENGINES_FAILED)
    assert found.failures == failures
    assert found.serve_model == OPUS
    assert found.decision is None


async def test_failures_are_told_even_where_a_later_engine_answered():
    found = await world(answer(source=Source.LOCAL, failures=DOWN[:1])).decider.decide(request())
    assert found.verdict is Verdict.ROUTED
    assert found.failures == DOWN[:1]


async def test_a_failure_leaves_no_trace_in_the_conversation():
    parts = world(EnginesFailed(DOWN))
    await parts.decider.decide(request())
    (slot,) = [load(raw) for raw in parts.cache.values.values()]
    assert (slot.served, slot.routed) == (OPUS, "")


async def test_time_spent_in_engines_is_told_and_none_for_kept_answers():
    parts = world()
    parts.engine.script = [
        lambda _: (parts.clock.advance(0.25), answer())[1],
        answer(cached=True),
        lambda _: (parts.clock.advance(0.5), EnginesFailed(DOWN))[1],
    ]
    waited = [(await parts.decider.decide(request())).engine_seconds for _ in range(3)]
    assert waited == [0.25, 0.0, 0.5]


# ---------------------------------------------------------------- dry runs


async def test_a_dry_run_decides_and_neither_reads_nor_writes_conversation_state():
    parts = world()
    await parts.decider.decide(request())
    before = dict(parts.cache.values)
    parts.cache.calls.clear()
    found = await parts.decider.decide(request(dry_run=True, constraints=KEEP_PROVIDER))
    assert found.verdict is Verdict.ROUTED
    assert parts.engine.queries[-1].key is None
    assert parts.cache.calls == []
    assert parts.cache.values == before


async def test_a_dry_run_is_no_switch():
    parts = world(answer(SONNET), answer(GPT))
    await parts.decider.decide(request())
    found = await parts.decider.decide(request(dry_run=True))
    assert found.decision.model == GPT
    assert found.decision.switch_reason is None


# ---------------------------------------------------------------- keys


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


# ---------------------------------------------------------------- incumbents


async def turns(parts, *requests):
    return [(await parts.decider.decide(r)).decision for r in requests]


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


# ---------------------------------------------------------------- keep_provider


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


# ---------------------------------------------------------------- classification, records


HARD = Classification(difficulty=Head(label="hard", confidence=0.9, meets_threshold=True))


@pytest.mark.parametrize(
    "changes", [{}, {"routing": None}, {"routing": routing(OPUS)}], ids=["routed", "off", "skipped"]
)
async def test_a_classification_is_given_when_asked_for_whatever_becomes_of_the_routing(changes):
    parts = world(classification=HARD)
    found = await parts.decider.decide(request(classify=True, **changes))
    assert found.classification == HARD


async def test_a_failing_decision_leaves_the_classification_and_the_other_way_round():
    failing = world(EnginesFailed(DOWN), classification=HARD)
    assert (await failing.decider.decide(request(classify=True))).classification == HARD
    without = world(classification=None)
    assert (await without.decider.decide(request(classify=True))).serve_model == SONNET


async def test_nothing_is_classified_unasked():
    parts = world(classification=HARD)
    assert (await parts.decider.decide(request())).classification is None
    assert parts.classification.prompts == []


@pytest.mark.parametrize("changes", [{}, {"routing": None}, {"dry_run": True}], ids=str)
async def test_every_outcome_is_told_to_the_observers_once(changes):
    parts = world()
    found = await parts.decider.decide(request(**changes))
    (record,) = parts.observer.records
    assert record.outcome is found
    assert record.dry_run is changes.get("dry_run", False)


async def test_a_record_holds_the_time_that_the_decision_took():
    parts = world(lambda _: (parts.clock.advance(0.25), answer())[1])
    await parts.decider.decide(request())
    (record,) = parts.observer.records
    assert (record.total_seconds, record.engine_seconds) == (0.25, 0.25)


async def test_a_cancelled_caller_gets_no_answer_and_leaves_no_record():
    parts = world(gate=asyncio.Event())
    task = asyncio.create_task(parts.decider.decide(request()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert parts.observer.records == []
    assert parts.cache.values == {}


async def test_what_was_only_recorded_holds_no_conversation_that_is_served_now():
    parts = world(answer(GPT), answer(OPUS))
    parts.rules = rules(mode=Mode.SHADOW)
    await decider_over(parts).decide(request())
    parts.rules = rules(mode=Mode.SERVE)
    found = await decider_over(parts).decide(request(constraints=KEEP_PROVIDER))
    assert [d.model for d in found.decision.dropped] == [GPT]
    assert found.serve_model == OPUS


async def test_a_slot_lasts_as_long_as_it_is_used():
    parts = world(answer(GPT), answer(GPT, cached=True))
    key = KEYS.conversation(request())[0]
    for _ in range(3):
        await parts.decider.decide(request())
        parts.clock.advance(parts.rules.cache.ttl * 0.6)
    assert [call for call in parts.cache.calls if call == ("put", key)] == [("put", key)] * 3
