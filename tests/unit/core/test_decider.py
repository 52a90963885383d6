"""The steps of a decision, over a scripted engine and a cache that remembers."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace

import pytest
from pointsman_server.core.conversation_slot import load
from pointsman_server.core.errors import EnginesFailed
from pointsman_server.core.model import (
    Classification,
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
    Verdict,
)
from support.builders import (
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
from support.deciding import KEEP_PROVIDER, KEYS, asked, decider_over, world
from support.fakes import (
    failed,
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
    await parts.decider.decide(request(), deadline=parts.clock.now + 2.0)
    assert parts.engine.queries[0].deadline == pytest.approx(parts.clock.now + 1.8)


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
