"""What is in force, as told: complete, ordered, and without secrets."""

from __future__ import annotations

import pytest
from pointsman.v1 import describe_routing_pb2 as pb
from pointsman_server.core.description import Description, EngineDescription, EngineState
from pointsman_server.core.engine_rules import MorphRules
from pointsman_server.core.errors import Problem
from pointsman_server.core.model import DataPolicy, Mode, Organizations, Stickiness, Tier
from pointsman_server.core.policy_file import CacheRules, FlagRules, LogRules
from pointsman_server.transport.describe import to_description
from support.builders import FRONTIER, LEGACY, OPUS, SMALL, SONNET, catalog, model, rules


def described(*, engines=(), problems=(), warnings=(), **file):
    return to_description(
        Description(
            rules=rules(**file),
            engines=tuple(engines),
            loaded_at=1_790_000_000.9,
            reload_problems=tuple(problems),
            server_version="1.2.3",
            warnings=tuple(warnings),
        )
    )


def test_mode_share_versions_and_time_are_told():
    found = described(serve_percent=12.5)
    assert (found.mode, found.serve_percent) == (pb.MODE_SERVE, 12.5)
    assert (found.policy_version, found.server_version) == ("v1", "1.2.3")
    assert found.policy_loaded_at.seconds == 1_790_000_000


def test_what_is_rarely_meant_is_told():
    found = described(warnings=[Problem("serve_percent", "is 0.5 percent")])
    assert list(found.warnings) == [
        pb.PolicyProblem(path="serve_percent", message="is 0.5 percent")
    ]


def test_tiers_are_told_by_name():
    tier = Tier(
        name="a/auto",
        policy="balanced",
        stickiness=Stickiness.CONVERSATION,
        default_candidates=(SONNET, OPUS),
    )
    found = described(tiers={**rules().tiers, "a/auto": tier}).tiers
    assert [t.name for t in found] == sorted(["a/auto", FRONTIER, SMALL, LEGACY])
    assert found[0] == pb.TierDescription(
        name="a/auto",
        policy="balanced",
        stickiness=pb.STICKINESS_CONVERSATION,
        default_candidates=[SONNET, OPUS],
    )


@pytest.mark.parametrize(
    ("known", "told"),
    [
        (
            model("m", router_id="r", input_price=0.0, output_price=2.5, context_window=9),
            pb.ModelDescription(
                model="m",
                router_model="r",
                routable=True,
                input_price=0.0,
                output_price=2.5,
                context_window=9,
            ),
        ),
        (
            model("m", router_id="r"),
            pb.ModelDescription(model="m", router_model="r", routable=True),
        ),
        (model("m", router_id=None), pb.ModelDescription(model="m", routable=False)),
        (
            model("m", router_id="r", experimental=True),
            pb.ModelDescription(model="m", router_model="r", routable=False),
        ),
    ],
    ids=["whole", "bare", "unmapped", "experimental"],
)
def test_a_model_is_told_with_what_is_known_of_it(known, told):
    assert list(described(catalog=catalog(known)).models) == [told]


def test_models_are_told_by_name():
    names = [m.model for m in described().models]
    assert names == sorted(rules().catalog)


@pytest.mark.parametrize("state", list(EngineState))
def test_each_state_of_an_engine_has_its_namesake_in_the_contract(state):
    engine = EngineDescription(name="morph", state=state, consecutive_failures=3, third_party=True)
    (found,) = described(engines=[engine]).engines
    assert pb.EngineState.Name(found.state) == f"ENGINE_STATE_{state.name}"
    assert (found.name, found.consecutive_failures, found.third_party) == ("morph", 3, True)


def test_an_engines_calls_probe_and_failures_are_told():
    failures = {"timeout": 5, "circuit_open": 40}
    engine = EngineDescription(
        name="morph",
        state=EngineState.CIRCUIT_HALF_OPEN,
        probing=True,
        in_flight=1,
        max_in_flight=128,
        failures=failures,
    )
    (found,) = described(engines=[engine]).engines
    assert (found.probing, found.in_flight, found.max_in_flight) == (True, 1, 128)
    assert dict(found.failures) == failures


def test_engines_keep_the_order_in_which_they_are_asked():
    engines = [EngineDescription(name=n, state=EngineState.READY) for n in ("morph", "local")]
    assert [e.name for e in described(engines=engines).engines] == ["morph", "local"]


@pytest.mark.parametrize("mode", list(Mode))
def test_each_mode_has_its_namesake_in_the_contract(mode):
    assert pb.Mode.Name(described(mode=mode).mode) == f"MODE_{mode.name}"


@pytest.mark.parametrize("stickiness", list(Stickiness))
def test_each_stickiness_has_its_namesake_in_the_contract(stickiness):
    found = described(stickiness=stickiness).tiers[0].stickiness
    assert pb.Stickiness.Name(found) == f"STICKINESS_{stickiness.name}"


@pytest.mark.parametrize(
    ("policy", "allowed"),
    [
        (DataPolicy.THIRD_PARTY_ALLOWED, True),
        (DataPolicy.UNSPECIFIED, True),
        (DataPolicy.THIRD_PARTY_DENIED, False),
    ],
)
def test_what_holds_for_third_parties_and_organisations_is_told(policy, allowed):
    found = described(data_policy=policy, organizations=Organizations.ALLOWED)
    assert (found.third_party_allowed, found.organizations_allowed) == (allowed, True)


def test_problems_of_a_refused_file_are_told():
    found = described(problems=[Problem("tiers.x.policy", "unknown")]).reload_problems
    assert list(found) == [pb.PolicyProblem(path="tiers.x.policy", message="unknown")]


def test_no_address_key_path_or_switch_value_is_told():
    found = described(
        morph=MorphRules(url="https://canary", key_env="canary", key_file="/canary"),
        cache=CacheRules(url="redis://canary"),
        flags=FlagRules(values={"morph_router_enabled": "canary"}),
        log=LogRules(file="/canary", known_modes=frozenset({"canary"})),
    )
    assert "canary" not in str(found)


def test_a_model_is_described_with_its_axes():
    strong = model(OPUS, routine=0.93, heavy={"coding": 0.69, "knowledge": 0.49})
    found = {each.model: each for each in described(catalog=catalog(strong, model(SONNET))).models}
    assert (found[OPUS].routine, dict(found[OPUS].heavy)) == (
        0.93,
        {"coding": 0.69, "knowledge": 0.49},
    )
    assert not found[SONNET].HasField("routine")
    assert not found[SONNET].heavy
