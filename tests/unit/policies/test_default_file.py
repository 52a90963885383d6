"""The packaged default: what holds when no policy file is given."""

from __future__ import annotations

from pointsman_server.core.model import Mode, Organizations, Stickiness
from pointsman_server.core.policy_file import PolicyFile
from pointsman_server.policies.check import check
from pointsman_server.policies.loader import load
from pointsman_server.policies.sections.document import PolicyDocument

ROUTER_IDS = {
    "anthropic/claude-opus-4.8": "claude-opus-4-8",
    "anthropic/claude-sonnet-4.6": "claude-sonnet-4-6",
    "anthropic/claude-haiku-4.5": "claude-haiku-4-5-20251001",
    "openai/gpt-5.5": "gpt-5.5",
    "google/gemini-3.1-pro-preview": "gemini-3.1-pro-preview",
    "google/gemini-3.5-flash": "gemini-3.5-flash",
    "deepseek/deepseek-v4-pro:discounted": "deepseek-v4-pro",
    "deepseek/deepseek-v4-flash:discounted": "deepseek-v4-flash",
}
POLICIES = {
    "kilo-auto/frontier": "capability_heavy",
    "kilo-auto/balanced": "balanced",
    "kilo/auto": "balanced",
    "kilo-auto/small": "cost_efficient",
    "kilo-auto/free": "cost_efficient",
}


def default() -> PolicyFile:
    return load(None).policy_file


def test_it_has_neither_problems_nor_warnings() -> None:
    report = check(None)

    assert report.problems == ()
    assert report.warnings == ()


def test_it_maps_the_public_ids_to_router_ids() -> None:
    assert {i: m.router_id for i, m in default().catalog.items()} == ROUTER_IDS


def test_it_has_the_tiers_and_their_policies() -> None:
    assert {n: t.policy for n, t in default().tiers.items()} == POLICIES


def test_every_tier_decides_tasks_and_leaves_a_model_for_a_reason() -> None:
    assert {t.stickiness for t in default().tiers.values()} == {Stickiness.ADAPTIVE}


def test_serving_starts_with_a_twentieth_of_the_conversations() -> None:
    assert default().serve_percent == 5


def test_all_candidates_of_its_tiers_have_a_figure_on_every_axis() -> None:
    policy = default()
    for tier in policy.tiers.values():
        for name in tier.default_candidates:
            model = policy.catalog[name]
            assert model.routine is not None, name
            assert set(model.heavy) == {"coding", "knowledge"}, name


def test_it_decides_in_shadow_without_asking_anybody_outside() -> None:
    policy = default()

    assert policy.mode is Mode.SHADOW
    assert policy.engines == ("morph", "local")
    assert "morph_router_enabled" not in policy.flags.values
    assert policy.organizations is Organizations.EXCLUDED


def test_every_model_has_what_constraints_and_costs_need() -> None:
    for model in default().catalog.values():
        assert model.input_price is not None, model.public_id
        assert model.output_price is not None, model.public_id
        assert model.context_window is not None, model.public_id
        assert model.inputs is not None, model.public_id
        assert model.tools is not None, model.public_id


def test_what_it_spells_out_are_the_defaults_of_the_schema() -> None:
    policy = default()
    bare = PolicyDocument.model_validate(
        {"tiers": {"t": {"policy": "balanced"}}, "catalog": {"m": None}}
    ).to_core(version="")

    for field in ("mode", "engines", "morph", "local", "cache", "data_policy"):
        assert getattr(policy, field) == getattr(bare, field), field
    for field in ("organizations", "classify_budget"):
        assert getattr(policy, field) == getattr(bare, field), field
    assert policy.flags.sources == bare.flags.sources
    assert policy.flags.memory == bare.flags.memory
    assert policy.log.file_max_bytes == bare.log.file_max_bytes
