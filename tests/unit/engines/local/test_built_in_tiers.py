"""The promise of the built-in tiers, on estimates that are sure of themselves."""

from __future__ import annotations

import pytest
from pointsman_server.core.engine_rules import DOMAINS
from pointsman_server.core.model import EngineQuery, provider_of
from pointsman_server.core.policy_file import PolicyFile
from pointsman_server.engines.local.effort_rule import EffortRule
from pointsman_server.engines.local.readers import RequestEstimate
from pointsman_server.policies.loader import load

STRONGEST = "anthropic/claude-opus-4.8"
SURE = {
    1: (0.95, 0.05, 0.0, 0.0, 0.0),
    2: (0.05, 0.9, 0.05, 0.0, 0.0),
    3: (0.0, 0.05, 0.9, 0.05, 0.0),
    4: (0.0, 0.0, 0.05, 0.9, 0.05),
    5: (0.0, 0.0, 0.0, 0.05, 0.95),
}


@pytest.fixture(scope="module")
def policy() -> PolicyFile:
    return load(None).policy_file


def pick(policy: PolicyFile, tier_name: str, *, effort: int, domain: str) -> str:
    tier = policy.tiers[tier_name]
    candidates = tuple(policy.catalog[name] for name in tier.default_candidates)
    query = EngineQuery(
        prompt="x" * 80, candidates=candidates, policy=tier.policy, default=candidates[0]
    )
    domains = tuple(0.9 if name == domain else 0.025 for name in DOMAINS)
    estimate = RequestEstimate(
        effort=SURE[effort], difficulty="medium", difficulty_confidence=0.9, domains=domains,
        domain=domain, domain_confidence=0.9, needs_info=0.0, turn=0.0,
    )  # type: ignore[arg-type]  # fmt: skip
    loss = policy.local.quality_loss[tier.policy]
    return EffortRule().decide(query, estimate, loss=loss).chosen.model.public_id


@pytest.mark.parametrize("domain", DOMAINS)
def test_frontier_leaves_the_strongest_for_light_work_and_keeps_it_for_heavy(
    policy: PolicyFile, domain: str
) -> None:
    found = {e: pick(policy, "kilo-auto/frontier", effort=e, domain=domain) for e in SURE}
    price = {name: model.output_price or 0.0 for name, model in policy.catalog.items()}
    assert price[found[1]] < price[STRONGEST]
    assert price[found[2]] < price[STRONGEST]
    assert found[4] == found[5] == STRONGEST


@pytest.mark.parametrize(
    ("tier", "models", "providers"),
    [("kilo-auto/balanced", 4, 3), ("kilo-auto/small", 2, 2), ("kilo-auto/free", 2, 2)],
)
def test_the_pick_of_a_tier_depends_on_the_request(
    policy: PolicyFile, tier: str, models: int, providers: int
) -> None:
    found = {pick(policy, tier, effort=e, domain=d) for e in SURE for d in DOMAINS}
    assert len(found) >= models
    assert len({provider_of(name) for name in found}) >= providers


@pytest.mark.parametrize("tier", ["kilo-auto/frontier", "kilo-auto/balanced", "kilo-auto/small"])
@pytest.mark.parametrize("domain", DOMAINS)
def test_a_harder_request_never_gets_a_weaker_model(
    policy: PolicyFile, tier: str, domain: str
) -> None:
    axis = "coding" if domain in {"coding", "data", "design"} else "knowledge"
    picks = [pick(policy, tier, effort=effort, domain=domain) for effort in SURE]
    strength = [policy.catalog[name].heavy[axis] for name in picks]
    assert strength == sorted(strength)
