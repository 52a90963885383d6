from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from pointsman_server.core.engine_rules import BreakerRules, MorphRules, Questions
from pointsman_server.core.model import (
    CatalogModel,
    DataPolicy,
    Modality,
    Mode,
    Organizations,
    Source,
    Stickiness,
    Tier,
)
from pointsman_server.core.policy_file import (
    CacheRules,
    FlagRules,
    LocalRules,
    LogRules,
    PolicyFile,
    ReaderKind,
)
from pointsman_server.policies.schema import parse

VALID = Path(__file__).parents[2] / "data" / "policies" / "valid"


def policy(name: str) -> PolicyFile:
    return parse((VALID / f"{name}.yaml").read_bytes()).policy_file


def test_every_key_reaches_its_core_value() -> None:
    full = policy("full")

    assert full.mode is Mode.OFF
    assert full.serve_percent == 12.5
    assert full.data_policy is DataPolicy.THIRD_PARTY_DENIED
    assert full.organizations is Organizations.ALLOWED
    assert full.classify_budget == 0.02
    assert full.engines == ("local", "morph")
    assert full.tiers == {
        "kilo-auto/frontier": Tier(
            name="kilo-auto/frontier",
            policy="capability_heavy",
            stickiness=Stickiness.CONVERSATION,
            default_candidates=("acme/large", "acme/small"),
        ),
        "kilo/auto": Tier(
            name="kilo/auto",
            policy="domain_skills",
            stickiness=Stickiness.EXACT,
            default_candidates=("acme/small", "acme/large"),
        ),
    }
    assert full.catalog == {
        "acme/large": CatalogModel(
            public_id="acme/large",
            router_id="acme-large",
            input_price=5.0,
            output_price=25.5,
            context_window=200_000,
            inputs=frozenset(Modality),
            tools=True,
            topic_scores={"math": 0.8, "computer science": 1.0},
            score=0.9,
            size="frontier",
        ),
        "acme/small": CatalogModel(
            public_id="acme/small",
            router_id="acme-small",
            inputs=frozenset(),
            tools=False,
            capability=0.4,
        ),
        "acme/next": CatalogModel(public_id="acme/next", router_id="acme-next", experimental=True),
        "acme/unmapped": CatalogModel(public_id="acme/unmapped"),
    }
    assert full.morph == MorphRules(
        url="http://127.0.0.1:8080/router",
        timeout=0.75,
        connect_retries=1,
        max_connections=8,
        max_in_flight=16,
        key_env=None,
        key_file="/run/secrets/morph",
        breaker=BreakerRules(failures=3, pause=60.0, slow=0.5),
    )
    assert full.local == LocalRules(
        quality_loss={
            "capability_heavy": 0.02,
            "balanced": 0.07,
            "cost_efficient": 0.10,
            "domain_skills": 0.0,
        },
        needs_info_threshold=0.8,
        reader=ReaderKind.AUTO,
        reader_deadline=0.03,
        artefact="/etc/pointsman/reader.bin",
    )
    assert full.cache == CacheRules(
        url="rediss://cache.internal:6380/3",
        max_entries=1000,
        ttl=7200.0,
        fallback_ttl=90.0,
        timeout=0.02,
        recheck=60.0,
        max_connections=4,
        username="pointsman",
        password_env="REDIS_PASSWORD",
        password_file="/run/secrets/redis",
        ca_file="/etc/ssl/cache.pem",
    )
    assert full.flags == FlagRules(
        sources=("policy_file",),
        memory=0.0,
        values={"morph_router_enabled": "true", "decision_log_sample_rate": "0.25"},
    )
    assert full.log == LogRules(
        stdout=False,
        file="/var/log/pointsman/decisions.jsonl",
        file_max_bytes=1_048_576,
        file_backups=2,
        known_modes=frozenset({"code", "plan"}),
    )


def test_what_is_left_out_has_the_core_s_defaults() -> None:
    minimal = policy("minimal")

    assert minimal.mode is Mode.SHADOW
    assert minimal.serve_percent == 100.0
    assert minimal.data_policy is DataPolicy.THIRD_PARTY_ALLOWED
    assert minimal.organizations is Organizations.EXCLUDED
    assert minimal.classify_budget == 0.05
    assert minimal.tiers["kilo-auto/small"].stickiness is Stickiness.ADAPTIVE
    assert minimal.engines == ("morph", "local")
    assert minimal.morph == MorphRules()
    assert minimal.local.needs_info_threshold == 0.25
    assert minimal.cache == CacheRules()
    assert minimal.flags == FlagRules(values={})
    assert minimal.log == LogRules()


@pytest.mark.parametrize(
    "name", ["minimal_as_json", "minimal_with_empty_sections", "minimal_with_merge_keys"]
)
def test_another_way_of_writing_says_the_same(name: str) -> None:
    one, other = policy("minimal"), policy(name)

    assert other.rules_digest == one.rules_digest
    assert other.catalog == one.catalog
    assert other.cache == one.cache
    assert other.version != one.version


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("true", "true"),
        ("TRUE", "true"),
        ("'TRUE'", "TRUE"),
        ("' true '", " true "),
        ("yes", "yes"),
        ("1", "1"),
        ("false", "false"),
    ],
)
def test_a_flag_is_kept_as_text(written: str, kept: str) -> None:
    text = (VALID / "minimal.yaml").read_text() + f"flags: {{morph_router_enabled: {written}}}\n"

    assert parse(text.encode()).policy_file.flags.values == {"morph_router_enabled": kept}


def test_a_flag_that_is_null_is_unset() -> None:
    text = (VALID / "minimal.yaml").read_text() + "flags: {morph_router_enabled: null}\n"

    assert parse(text.encode()).policy_file.flags.values == {}


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("50ms", 0.05),
        ("5s", 5.0),
        ("5 s", 5.0),
        ("1.5m", 90.0),
        ("2h", 7200.0),
        ("1d", 86400.0),
        ("0.25", 0.25),
        ("60", 60.0),
    ],
)
def test_a_duration_is_seconds_or_text_with_a_unit(written: str, seconds: float) -> None:
    text = (VALID / "minimal.yaml").read_text() + f"cache: {{ttl: {written}}}\n"

    assert parse(text.encode()).policy_file.cache.ttl == pytest.approx(seconds)


def test_a_byte_order_mark_is_no_part_of_the_first_key() -> None:
    data = (VALID / "minimal.yaml").read_bytes()

    assert parse(b"\xef\xbb\xbf" + data).policy_file.catalog == parse(data).policy_file.catalog


def test_a_loaded_file_cannot_be_changed() -> None:
    loaded = policy("full")

    with pytest.raises(TypeError):
        loaded.tiers["new"] = loaded.tiers["kilo/auto"]  # type: ignore[index]
    with pytest.raises(TypeError):
        loaded.catalog["acme/large"].topic_scores["math"] = 0.0  # type: ignore[index]
    with pytest.raises(FrozenInstanceError):
        loaded.mode = Mode.SERVE  # type: ignore[misc]


@pytest.mark.parametrize(
    ("settings", "third_party"),
    [
        ("url: 'https://api.typesafe.ai'", True),
        ("url: 'http://vllm.internal:8000'", True),
        ("url: 'http://10.0.0.7:8000'", True),
        ("url: 'http://vllm.internal:8000', third_party: false", False),
        ("url: 'http://127.0.0.1:8000'", False),
        ("url: 'http://[::1]:8000'", False),
        ("url: 'http://localhost:8000'", False),
        ("url: 'unix:/run/vllm.sock'", False),
        ("url: 'http://127.0.0.1:8000', third_party: true", True),
    ],
)
def test_a_decision_model_elsewhere_is_a_third_party_unless_the_file_says_otherwise(
    settings: str, third_party: bool
) -> None:
    model = f"{{{settings}, format: decisions, model: m, timeout: 500ms, price_per_call: 0.0004}}"
    text = (VALID / "minimal.yaml").read_text()
    text += f"engines: {{order: [ours, local], decision_models: {{ours: {model}}}}}\n"
    found = parse(text.encode()).policy_file
    rules = found.decision_models["ours"]
    assert rules.third_party is third_party
    assert (found.source_of("ours"), found.source_of("local")) == (
        Source.DECISION_MODEL,
        Source.LOCAL,
    )
    assert (rules.format, rules.timeout, rules.price_per_call) == ("decisions", 0.5, 0.0004)
    assert rules.questions == Questions()


def test_questions_may_be_reworded_one_by_one() -> None:
    reworded = "{turn: {when_no: there is work to do}, domain: {coding: programs}}"
    model = f"{{url: 'unix:/a', format: systemone, model: m, questions: {reworded}}}"
    text = (VALID / "minimal.yaml").read_text()
    text += f"engines: {{order: [ours], decision_models: {{ours: {model}}}}}\n"
    questions = parse(text.encode()).policy_file.decision_models["ours"].questions
    assert questions.turn.no == "there is work to do"
    assert questions.turn.yes == Questions().turn.yes
    assert dict(questions.domain.options())["coding"] == "programs"
    assert questions.effort == Questions().effort
