"""`ResolveRoute` of purposes whose route names a tier: decisions as attempts."""

from __future__ import annotations

import pytest
from pointsman.v1 import route_decision_pb2
from support.purposes import policy, refusal, resolve, tiered
from support.served import CATALOG, FRONTIER, Starter


async def test_a_tier_is_decided_and_its_ranking_are_the_attempts(start: Starter) -> None:
    peer = await start(policy=policy(mode="serve"))

    answer = await resolve(peer, tiered())

    decision = answer.decision.decision
    assert answer.decision.outcome == route_decision_pb2.OUTCOME_ROUTED
    models = [a.model for a in answer.attempts]
    assert models == [decision.model, *decision.fallback_models, "gpt-4o-mini"]
    assert sorted(models[:-1]) == sorted(FRONTIER)
    assert answer.attempts[0].model == answer.decision.serve_model
    assert answer.attempts[0].provider == decision.model.partition("/")[0]


async def test_in_shadow_a_tier_s_first_attempt_is_the_caller_s_own_pick(start: Starter) -> None:
    peer = await start(policy=policy(mode="shadow"))

    answer = await resolve(peer, tiered(resolved_model=FRONTIER[2]))

    assert answer.decision.shadow
    assert answer.attempts[0].model == FRONTIER[2]
    assert sorted(a.model for a in answer.attempts[:-1]) == sorted(FRONTIER)


async def test_a_tier_s_decision_is_that_of_route_decision(start: Starter) -> None:
    peer = await start(policy=policy(mode="serve"))
    asked = tiered(resolved_model=FRONTIER[0])

    resolved = await resolve(peer, asked)
    decided = await peer.decide(
        route_decision_pb2.RouteDecisionRequest(
            prompt=asked.prompt,
            caller=asked.caller,
            routing=route_decision_pb2.RoutingContext(
                auto_model="kilo-auto/frontier",
                candidate_models=FRONTIER,
                resolved_model=FRONTIER[0],
            ),
        )
    )

    assert decided.decision.cached
    assert decided.decision.model == resolved.decision.decision.model
    assert decided.decision.ranking == resolved.decision.decision.ranking


async def test_a_later_attempt_that_served_holds_the_conversation_to_its_provider(
    start: Starter,
) -> None:
    peer = await start(policy=policy(mode="serve"))
    fenced = route_decision_pb2.Constraints(keep_provider=True)
    await resolve(peer, tiered())

    served = next(name for name in FRONTIER if name.startswith("openai/"))
    answer = await resolve(peer, tiered(incumbent_model=served, constraints=fenced))

    assert answer.attempts[0].model == served
    assert (await refusal(peer, tiered(incumbent_model="")))[2] == {"incumbent_model"}


@pytest.mark.parametrize(
    "name", ["gpt-5.5", "openai/gpt-5.5", "gpt-5-5-2026", "openai/gpt-5-5-2026"]
)
async def test_an_attempt_that_served_may_be_named_as_its_profile_has_it(
    start: Starter, name: str
) -> None:
    catalog = CATALOG | {"openai/gpt-5.5": {"router_id": "gpt-5-5-2026"}}
    peer = await start(policy=policy(mode="serve", catalog=catalog))
    fenced = route_decision_pb2.Constraints(keep_provider=True)

    answer = await resolve(peer, tiered(incumbent_model=name, constraints=fenced))

    assert answer.attempts[0].model == "openai/gpt-5.5"
