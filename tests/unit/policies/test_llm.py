"""`llm` of the policy file: inheritance, references, the three forms of a route, tiers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pointsman_server.core.errors import PolicyInvalid
from pointsman_server.core.routes import (
    ELIGIBLE_ERRORS,
    PURPOSES,
    LlmRules,
    Profile,
    ResolveRequest,
    Route,
    profile_attempts,
)
from pointsman_server.core.weighted_split import Weighted
from pointsman_server.policies.env_references import is_credential
from pointsman_server.policies.schema import Loaded, parse

DATA = Path(__file__).parents[2] / "data" / "policies"
FULL = (DATA / "valid" / "full.yaml").read_bytes()
MINIMAL = (DATA / "valid" / "minimal.yaml").read_text(encoding="utf-8")


def loaded(llm: dict[str, Any], **environment: str) -> Loaded:
    text = MINIMAL + yaml.safe_dump({"llm": llm}, sort_keys=False)
    return parse(text.encode(), environment=environment)


def rules(llm: dict[str, Any], **environment: str) -> LlmRules:
    return loaded(llm, **environment).policy_file.llm


BASE: dict[str, Any] = {"provider": "openai", "model": "gpt-5.4", "api_key": "${OPENAI_API_KEY}"}


def test_every_key_of_a_profile_reaches_its_core_value() -> None:
    full = parse(FULL, environment={}).policy_file.llm

    assert full.profiles["default"] == Profile(
        name="default",
        provider="openai",
        model="gpt-5.4",
        endpoint="https://api.openai.com",
        credential_ref="env:OPENAI_API_KEY",
        parameters={
            "top_p": 0.9,
            "stop": ["END"],
            "seed": 7,
            "inference_provider": "acme",
            "temperature": 0.3,
            "reasoning_effort": "high",
            "reasoning_budget_tokens": 4096,
            "context_window_tokens": 400_000,
            "request_timeout": "90s",
            "tools_emulation_mode": "force",
            "supports_image_parts": True,
            "cache_ttl": "5m",
            "cache_key_prefix": "agent",
            "headers": {"Authorization": "Bearer ${GATEWAY_TOKEN}", "X-Team": "search"},
            "azure": {"deployment": "main"},
            "bedrock": {
                "aws_key": "${AWS_ACCESS_KEY_ID}",
                "aws_secret": "${AWS_SECRET_ACCESS_KEY}",
                "aws_session_token": "${AWS_SESSION_TOKEN}",
                "aws_profile": "work",
                "region": "eu-west-1",
                "model_arn": "arn:aws:bedrock:eu-west-1::foundation-model/m",
            },
            "cloudflare": {"account_id": "a1", "api_token": "${CLOUDFLARE_API_TOKEN}"},
        },
    )


def test_every_key_of_a_route_reaches_its_core_value() -> None:
    full = parse(FULL, environment={}).policy_file.llm
    errors = ("timeout", "connection", "http_429", "http_5xx")

    def to(*profiles: tuple[str, int], **facts: Any) -> Route:
        split = tuple(Weighted(profile=p, weight=w) for p, w in profiles)
        return Route(**{"candidates": split, "eligible_errors": errors, **facts})

    assert full.routes == {
        "plan_create": to(("reasoning", 1)),
        "addressing": to(("cheap", 1), fallback_profiles=("default",)),
        "main_loop": to(
            ("default", 3),
            ("cheap", 1),
            fallback_profiles=("reasoning",),
            eligible_errors=("timeout", "http_429", "http_5xx"),
        ),
        "heartbeat": to(tier="kilo-auto/frontier"),
        "memory_draft": to(("default", 1)),
        "review": to(("default", 1)),
    }


def test_a_profile_inherits_what_it_does_not_set() -> None:
    found = rules({**BASE, "temperature": 0.2, "profiles": {"cheap": {"model": "gpt-4o-mini"}}})

    assert found.profiles["cheap"] == Profile(
        name="cheap",
        provider="openai",
        model="gpt-4o-mini",
        parameters={"temperature": 0.2},
        credential_ref="env:OPENAI_API_KEY",
    )


@pytest.mark.parametrize("empty", ["", None])
def test_an_empty_value_is_inherited_too(empty: str | None) -> None:
    own = {"model": "gpt-4o-mini", "provider": empty, "api_key": empty, "endpoint": empty}
    found = rules({**BASE, "endpoint": "https://a.example", "profiles": {"cheap": own}})

    cheap = found.profiles["cheap"]
    assert (cheap.provider, cheap.endpoint) == ("openai", "https://a.example")
    assert cheap.credential_ref == "env:OPENAI_API_KEY"


def test_nested_settings_are_inherited_key_by_key() -> None:
    base = {**BASE, "parameters": {"top_p": 0.9, "seed": 1}, "azure": {"deployment": "a"}}
    found = rules({**base, "profiles": {"p": {"parameters": {"seed": 2}}}})

    assert found.profiles["p"].parameters == {"top_p": 0.9, "seed": 2, "azure": {"deployment": "a"}}


@pytest.mark.parametrize("moved", [{"provider": "anthropic"}, {"endpoint": "https://b.example"}])
def test_a_credential_stays_with_its_provider(moved: dict[str, str]) -> None:
    base = {
        **BASE,
        "headers": {"x-api-key": "${OPENAI_API_KEY}", "X-Team": "search"},
        "cloudflare": {"account_id": "a", "api_token": "${CF_TOKEN}"},
        "parameters": {"seed": 1, "api_key": "${OTHER_KEY}"},
    }
    found = loaded({**base, "profiles": {"other": {"model": "m", **moved}}})

    other = found.policy_file.llm.profiles["other"]
    assert other.credential_ref is None
    assert "KEY" not in repr(other.parameters)
    assert "TOKEN" not in repr(other.parameters)
    assert other.parameters == {
        "headers": {"X-Team": "search"},
        "cloudflare": {"account_id": "a"},
        "seed": 1,
    }
    [warning, *_] = found.warnings
    assert warning.path == "llm.profiles.other.api_key"
    for name in ("api_key", "headers.x-api-key", "cloudflare.api_token", "parameters.api_key"):
        assert f"`{name}`" in warning.message


def test_naming_the_same_provider_again_changes_nothing() -> None:
    found = loaded({**BASE, "profiles": {"p": {"provider": "openai", "model": "m"}}})

    assert found.policy_file.llm.profiles["p"].credential_ref == "env:OPENAI_API_KEY"
    assert found.warnings == ()


def test_a_profile_with_a_credential_of_its_own_is_no_warning() -> None:
    own = {"provider": "anthropic", "model": "m", "api_key": "${CLAUDE_API_KEY}"}
    found = loaded({**BASE, "profiles": {"p": own}})

    assert found.policy_file.llm.profiles["p"].credential_ref == "env:CLAUDE_API_KEY"
    assert found.warnings == ()


def test_a_file_without_llm_knows_the_purposes_and_serves_none() -> None:
    found = parse(MINIMAL.encode()).policy_file.llm

    assert found.profiles == {}
    assert found.routes == {p: Route() for p in PURPOSES}


def test_references_are_filled_in() -> None:
    llm = {**BASE, "model": "${FAMILY}-${SIZE}", "endpoint": "https://${HOST}/v1"}
    found = rules(llm, FAMILY="gpt", SIZE="mini", HOST="llm.example")

    default = found.profiles["default"]
    assert (default.model, default.endpoint) == ("gpt-mini", "https://llm.example/v1")


def test_all_unset_references_are_named_at_once() -> None:
    llm = {**BASE, "model": "${FAMILY}", "profiles": {"p": {"endpoint": "https://${HOST}"}}}
    with pytest.raises(PolicyInvalid) as refused:
        rules(llm)

    found = {p.path: p.message for p in refused.value.problems}
    assert "`FAMILY` is not set" in found["llm.model"]
    assert "`HOST` is not set" in found["llm.profiles.p.endpoint"]


def test_a_credential_s_variable_is_never_read() -> None:
    class Watched(dict[str, str]):
        def __getitem__(self, name: str) -> str:
            raise AssertionError(f"{name} was read")

        def get(self, name: str, default: Any = None) -> Any:
            raise AssertionError(f"{name} was read")

    text = MINIMAL + yaml.safe_dump({"llm": BASE})

    found = parse(text.encode(), environment=Watched(OPENAI_API_KEY="hunter2"))

    assert found.policy_file.llm.profiles["default"].credential_ref == "env:OPENAI_API_KEY"


def test_a_value_from_the_environment_is_checked_like_one_in_the_file_and_not_repeated() -> None:
    with pytest.raises(PolicyInvalid) as refused:
        rules({**BASE, "endpoint": "${BASE_URL}"}, BASE_URL="https://me:hunter2@llm.example")

    [problem] = refused.value.problems
    assert problem.path == "llm.endpoint"
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("llm", "api_key"), True),
        (("llm", "profiles", "p", "bedrock", "aws_secret"), True),
        (("llm", "headers", "Authorization"), True),
        (("llm", "headers", "X-Goog-Api-Key"), True),
        (("llm", "headers", "X-Team"), False),
        (("llm", "parameters", "api_key"), True),
        (("llm", "parameters", "auth", "access_token"), True),
        (("llm", "parameters", "max_tokens"), False),
        (("llm", "parameters", "prompt_cache_key"), False),
        (("llm", "cache_key_prefix"), False),
        (("llm", "model"), False),
    ],
)
def test_what_is_a_credential(path: tuple[str, ...], expected: bool) -> None:
    assert is_credential(path) is expected


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (429, "http_429"), ("429", "http_429"), ("http_429", "http_429"), ("5xx", "http_5xx"),
        ("http_4xx", "http_4xx"), ("timeout", "timeout"), ("unusable_response",) * 2,
    ],
)  # fmt: skip
def test_an_eligible_error_may_be_written_in_several_ways(written: object, kept: str) -> None:
    found = rules({**BASE, "routes": {"main_loop": {"eligible_errors": [written]}}})

    assert found.routes["main_loop"].eligible_errors == (kept,)
    assert found.routes["heartbeat"].eligible_errors == ELIGIBLE_ERRORS


# ------------------------------------------------------- the public guide's examples, unchanged

GUIDE_PROFILES = """
llm:
  provider: "openai"
  model: "gpt-5.4"
  api_key: "${OPENAI_API_KEY}"

  profiles:
    cheap:
      model: "gpt-4o-mini"
    reasoning:
      provider: "anthropic"
      model: "claude-opus-4-6"
      api_key: "${CLAUDE_API_KEY}"
"""
GUIDE_ROUTES = """
llm:
  routes:
    plan_create: reasoning
    addressing: cheap
"""
GUIDE_SPLIT = """
llm:
  routes:
    main_loop:
      candidates:
        - profile: "default"
          weight: 1
        - profile: "default_apple"
          weight: 1
        - profile: "default_banana"
          weight: 1
"""
GUIDE_FALLBACK = """
llm:
  routes:
    plan_create:
      profile: "reasoning"
      fallback_profiles: [ "default" ]
"""
FRUITS = {"default_apple": {"model": "apple"}, "default_banana": {"model": "banana"}}


def guide(routes: str = "") -> LlmRules:
    """The guide's profiles with one of its examples of routes."""
    llm = yaml.safe_load(GUIDE_PROFILES)["llm"]
    if routes:
        llm |= yaml.safe_load(routes)["llm"]
    llm["profiles"] = {**llm["profiles"], **FRUITS}
    return rules(llm)


def attempts(found: LlmRules, purpose: str, run_id: str = "r-1") -> list[tuple[str, str]]:
    request = ResolveRequest(purpose=purpose, run_id=run_id)
    return [(a.profile, a.model) for a in profile_attempts(found, found.routes[purpose], request)]


def test_the_guide_s_profiles_load_unchanged() -> None:
    found = parse((MINIMAL + GUIDE_PROFILES).encode(), environment={})

    assert found.warnings == ()
    assert {
        n: (p.provider, p.model, p.credential_ref)
        for n, p in found.policy_file.llm.profiles.items()
    } == {
        "default": ("openai", "gpt-5.4", "env:OPENAI_API_KEY"),
        "cheap": ("openai", "gpt-4o-mini", "env:OPENAI_API_KEY"),
        "reasoning": ("anthropic", "claude-opus-4-6", "env:CLAUDE_API_KEY"),
    }


def test_the_guide_s_routes_resolve_as_it_says() -> None:
    found = guide(GUIDE_ROUTES)

    assert attempts(found, "plan_create") == [("reasoning", "claude-opus-4-6")]
    assert attempts(found, "addressing") == [("cheap", "gpt-4o-mini")]
    for purpose in ("main_loop", "heartbeat", "memory_draft"):
        assert attempts(found, purpose) == [("default", "gpt-5.4")]


def test_the_guide_s_split_resolves_as_it_says() -> None:
    found = guide(GUIDE_SPLIT)
    runs = [tuple(p for p, _ in attempts(found, "main_loop", f"r-{n}")) for n in range(3_000)]

    assert set(runs) == {
        ("default", "default_apple", "default_banana"),
        ("default_apple", "default", "default_banana"),
        ("default_banana", "default", "default_apple"),
    }
    for order in set(runs):
        assert abs(runs.count(order) / len(runs) - 1 / 3) < 0.03


def test_the_guide_s_fallback_resolves_as_it_says() -> None:
    assert attempts(guide(GUIDE_FALLBACK), "plan_create") == [
        ("reasoning", "claude-opus-4-6"),
        ("default", "gpt-5.4"),
    ]


@pytest.mark.parametrize(
    ("written", "environment", "filled"),
    [
        ("${IMG}", {"IMG": "true"}, True),
        ("${IMG}", {"IMG": "False"}, False),
        ("${IMG:-true}", {}, True),
        ("${IMG:-true}", {"IMG": ""}, True),
        ("${IMG:-true}", {"IMG": "false"}, False),
        (True, {}, True),
        ("${IMG}", {"IMG": ""}, None),
        ("", {}, None),
    ],
)
def test_a_boolean_may_come_from_the_environment(
    written: object, environment: dict[str, str], filled: object
) -> None:
    llm = {"provider": "p", "model": "m", "supports_image_parts": written}
    default = rules(llm, **environment).profiles["default"]
    assert default.parameters.get("supports_image_parts") is filled


@pytest.mark.parametrize("value", ["yes", "1", "on", "truth"])
def test_another_text_is_no_boolean_and_is_not_repeated(value: str) -> None:
    llm = {"provider": "p", "model": "m", "supports_image_parts": "${IMG}"}
    with pytest.raises(PolicyInvalid) as caught:
        rules(llm, IMG=f"{value}-hunter2")
    [problem] = caught.value.problems
    assert problem.path == "llm.supports_image_parts"
    assert "must be `true` or `false`" in problem.message
    assert "hunter2" not in problem.message


@pytest.mark.parametrize(
    ("written", "filled"),
    [
        ("${SET}", "here"),
        ("${SET:-other}", "here"),
        ("${SET-other}", "here"),
        ("${EMPTY:-other}", "other"),
        ("${EMPTY-other}", ""),
        ("${UNSET:-other}", "other"),
        ("${UNSET-other}", "other"),
        ("${UNSET:-}", ""),
        ("${UNSET:-a b:-c}", "a b:-c"),
        ("${UNSET:-1}-${SET}", "1-here"),
        ("$${SET}", "${SET}"),
        ("$${UNSET}", "${UNSET}"),
        ("$$${SET}", "$${SET}"),
        ("$${SET}${SET}", "${SET}here"),
        ("$$5, $5", "$$5, $5"),
    ],
)
def test_references_have_defaults_and_an_escape(written: str, filled: str) -> None:
    llm = {"provider": "p", "model": "m", "parameters": {"note": f"<{written}>"}}
    default = rules(llm, SET="here", EMPTY="").profiles["default"]
    assert default.parameters["note"] == f"<{filled}>"


@pytest.mark.parametrize("written", ["${A:B}", "${}", "${:-x}", "${A B}", "${1A:-x}"])
def test_another_reference_is_a_problem(written: str) -> None:
    with pytest.raises(PolicyInvalid, match="names no environment variable"):
        rules({"provider": "p", "model": "m", "parameters": {"note": written}})


@pytest.mark.parametrize("written", ["${API_KEY:-hunter2}", "$${API_KEY}"])
def test_a_credential_has_neither_a_default_nor_an_escape(written: str) -> None:
    with pytest.raises(PolicyInvalid, match="must be a reference") as caught:
        rules({"provider": "p", "model": "m", "api_key": written})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("empty", ["", "${UNSET:-}"])
def test_an_empty_header_number_or_word_is_inherited(empty: str) -> None:
    base = {
        "provider": "p",
        "model": "m",
        "headers": {"x-team": "blue"},
        "temperature": 0.5,
        "context_window_tokens": 1_000,
        "tools_emulation_mode": "force",
        "supports_image_parts": True,
    }
    own = {
        "headers": {"x-team": empty, "x-more": "1"},
        "temperature": empty,
        "context_window_tokens": empty,
        "tools_emulation_mode": empty,
        "supports_image_parts": empty,
    }
    found = rules({**base, "profiles": {"mine": own}}).profiles["mine"].parameters
    assert found["headers"] == {"x-team": "blue", "x-more": "1"}
    others = own.keys() - {"headers"}
    assert {key: found[key] for key in others} == {key: base[key] for key in others}
