"""Routes: which attempts a purpose gets, in which order."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from pointsman_server.core.errors import InvalidRequest, UnknownProfile, UnknownPurpose
from pointsman_server.core.keys import Keys
from pointsman_server.core.model import (
    Outcome,
    Reason,
    RouteRequest,
    RoutingContext,
    Tier,
    Verdict,
)
from pointsman_server.core.resolver import ResolutionRecord, Resolver
from pointsman_server.core.routes import (
    NO_LLM,
    LlmRules,
    Profile,
    ResolveRequest,
    Route,
    profile_attempts,
    route_of,
)
from pointsman_server.core.weighted_split import Weighted
from support.builders import (
    FLASH,
    FRONTIER,
    GPT,
    OPUS,
    SONNET,
    caller,
    decision,
    denying,
    outcome,
    prompt,
    rules,
)
from support.fakes import FakeClock, FixedSwitches


def profile(name: str, **facts: Any) -> Profile:
    return Profile(**{"name": name, "provider": "acme", "model": f"{name}-1", **facts})


PROFILES = {n: profile(n) for n in ("default", "cheap", "reasoning", "backup")}


def split(**weights: int) -> tuple[Weighted, ...]:
    return tuple(Weighted(profile=p, weight=w) for p, w in weights.items())


def llm(**routes: Route) -> LlmRules:
    return LlmRules(profiles=PROFILES, routes={**NO_LLM.routes, **routes})


def ask(run_id: str = "r-1", **fields: Any) -> ResolveRequest:
    return ResolveRequest(**{"purpose": "main_loop", "run_id": run_id, **fields})


def names(route: Route, request: ResolveRequest) -> list[str]:
    return [a.profile for a in profile_attempts(llm(main_loop=route), route, request)]


def test_first_the_run_s_profile_then_the_other_candidates_in_the_file_s_order() -> None:
    route = Route(candidates=split(default=1, cheap=1, reasoning=1), fallback_profiles=("backup",))
    seen = {tuple(names(route, ask(f"r-{n}"))) for n in range(50)}

    assert seen == {
        ("default", "cheap", "reasoning", "backup"),
        ("cheap", "default", "reasoning", "backup"),
        ("reasoning", "default", "cheap", "backup"),
    }


def test_no_profile_is_tried_twice() -> None:
    route = Route(
        candidates=split(default=1, cheap=1), fallback_profiles=("cheap", "backup", "default")
    )

    assert sorted(names(route, ask())) == ["backup", "cheap", "default"]


def test_the_choice_depends_on_the_run_alone() -> None:
    route = Route(candidates=split(default=1, cheap=1))

    assert len({tuple(names(route, ask("r-7"))) for _ in range(100)}) == 1
    assert set(Counter(names(route, ask(f"r-{n}"))[0] for n in range(100))) == {"default", "cheap"}


def test_shares_are_those_of_the_split_and_nought_for_what_is_only_a_fallback() -> None:
    route = Route(candidates=split(default=3, cheap=1), fallback_profiles=("backup",))
    attempts = profile_attempts(llm(), route, ask())

    assert {a.profile: a.share for a in attempts} == {"default": 0.75, "cheap": 0.25, "backup": 0}


def test_an_override_replaces_route_and_split_and_keeps_the_fallback_profiles() -> None:
    route = Route(candidates=split(default=1, cheap=1), fallback_profiles=("backup", "reasoning"))

    assert names(route, ask(profile_override="reasoning")) == ["reasoning", "backup"]


def test_an_override_that_nobody_knows_is_an_error() -> None:
    with pytest.raises(UnknownProfile):
        names(Route(candidates=split(default=1)), ask(profile_override="nope"))


def test_a_purpose_that_nobody_knows_is_an_error() -> None:
    with pytest.raises(UnknownPurpose):
        route_of(llm(), "plan_creat")


def test_without_profiles_a_purpose_has_nobody_to_serve_it() -> None:
    with pytest.raises(UnknownProfile):
        profile_attempts(NO_LLM, route_of(NO_LLM, "heartbeat"), ask(purpose="heartbeat"))


class FixedDecider:
    """Answers one outcome and remembers what it was asked."""

    def __init__(self, **answer: Any) -> None:
        self.asked: list[RouteRequest] = []
        self._answer = answer

    async def decide(self, request: RouteRequest, *, deadline: float | None = None) -> Outcome:
        self.asked.append(request)
        return outcome(**self._answer)


class Records:
    def __init__(self) -> None:
        self.records: list[ResolutionRecord] = []

    def resolved(self, record: ResolutionRecord) -> None:
        self.records.append(record)


TIERED = Route(tier=FRONTIER, fallback_profiles=("backup",))


def resolver(decider: FixedDecider, *, observers: Any = (), **llm_rules: Any) -> Resolver:
    tiers = dict(rules().tiers)
    tiers[FRONTIER] = Tier(
        name=FRONTIER,
        policy="balanced",
        stickiness=tiers[FRONTIER].stickiness,
        default_candidates=(OPUS, SONNET, GPT),
    )
    whole = {"profiles": PROFILES, "routes": {**NO_LLM.routes, "main_loop": TIERED}, **llm_rules}
    return Resolver(
        rules=rules(tiers=tiers, llm=LlmRules(**whole)),
        decider=decider,
        switches=FixedSwitches(),
        keys=Keys(b"secret"),
        clock=FakeClock(),
        observers=observers,
    )


def tiered(**routing: Any) -> ResolveRequest:
    context = RoutingContext(auto_model="", **routing)
    return ask(ask=RouteRequest(prompt=prompt(), caller=caller(), routing=context))


async def test_a_tier_s_attempts_are_the_decision_s_ranking() -> None:
    found = FixedDecider(serve_model=SONNET, decision=decision(SONNET, fallback_models=(GPT, OPUS)))

    resolution = await resolver(found).resolve(tiered())

    assert [a.model for a in resolution.attempts] == [SONNET, GPT, OPUS, "backup-1"]
    assert [a.provider for a in resolution.attempts] == ["anthropic", "openai", "anthropic", "acme"]
    assert [a.share for a in resolution.attempts] == [1, 0, 0, 0]
    [asked] = found.asked
    assert asked.routing == RoutingContext(
        auto_model=FRONTIER, candidate_models=(OPUS, SONNET, GPT), resolved_model=OPUS
    )


async def test_in_shadow_the_static_pick_comes_first() -> None:
    found = FixedDecider(
        serve_model=GPT, shadow=True, decision=decision(SONNET, fallback_models=(GPT, OPUS))
    )

    resolution = await resolver(found).resolve(tiered(resolved_model=GPT))

    assert [a.model for a in resolution.attempts] == [GPT, SONNET, OPUS, "backup-1"]


async def test_without_a_decision_the_candidates_keep_their_order_less_those_ruled_out() -> None:
    found = FixedDecider(
        verdict=Verdict.FAILED, reason=Reason.ENGINES_FAILED, serve_model=OPUS, decision=None
    )
    request = tiered(candidate_models=(OPUS, SONNET, FLASH))
    assert request.ask is not None
    request = replace(request, ask=replace(request.ask, constraints=denying(SONNET)))

    resolution = await resolver(found).resolve(request)

    assert [a.model for a in resolution.attempts] == [OPUS, FLASH, "backup-1"]


async def test_a_model_is_tried_through_the_profile_that_names_it() -> None:
    own = profile("opus", provider="anthropic", model="claude-opus-4-8", credential_ref="env:KEY")
    found = FixedDecider(serve_model=OPUS, decision=decision(OPUS, fallback_models=(GPT,)))

    resolution = await resolver(
        found,
        profiles={**PROFILES, "opus": own},
        routes={"main_loop": Route(tier=FRONTIER, fallback_profiles=("opus",))},
    ).resolve(tiered())

    assert [(a.profile, a.credential_ref) for a in resolution.attempts] == [
        ("opus", "env:KEY"),
        ("", None),
    ]


async def test_a_tier_without_something_to_decide_from_names_what_is_missing() -> None:
    with pytest.raises(InvalidRequest) as refused:
        await resolver(FixedDecider()).resolve(ask())

    assert {v.field for v in refused.value.violations} == {"prompt", "caller"}


async def test_an_override_of_a_tier_s_route_decides_nothing() -> None:
    found = FixedDecider()

    resolution = await resolver(found).resolve(ask(profile_override="cheap"))

    assert [a.profile for a in resolution.attempts] == ["cheap", "backup"]
    assert found.asked == []


async def test_observers_are_told_names_of_the_file_and_a_hash() -> None:
    seen = Records()
    routes = {"main_loop": Route(candidates=split(default=1))}

    await resolver(FixedDecider(), observers=[seen], routes=routes).resolve(ask("secret-run"))

    [record] = seen.records
    assert (record.purpose, record.profile, record.tier) == ("main_loop", "default", None)
    assert record.run_hash
    assert "secret-run" not in repr(record)
