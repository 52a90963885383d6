"""Values set over the file: from code, the command line, the environment; checked like the file."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pointsman_server.cli.check import check as check_command
from pointsman_server.core.errors import PolicyInvalid
from pointsman_server.core.model import Mode
from pointsman_server.policies.config import PolicyConfig
from pointsman_server.policies.overrides import assignment, from_environment, key_path
from pointsman_server.policies.schema import Loaded
from pointsman_server.policies.watcher import PolicyWatcher

FILE = """\
mode: shadow
tiers:
  kilo-auto/small: {policy: balanced, candidates: [acme/large, acme/v1.5]}
catalog:
  acme/large: {router_id: acme-large}
  acme/v1.5: {router_id: acme-small}
llm:
  provider: openai
  model: gpt-5.4
  api_key: ${OPENAI_API_KEY}
  profiles:
    cheap: {model: gpt-4o-mini}
    reasoning: {provider: anthropic, model: claude-opus-4-6, api_key: "${CLAUDE_API_KEY}"}
  routes:
    main_loop: {candidates: [{profile: default, weight: 1}, {profile: cheap, weight: 1}]}
"""


WEIGHT = "llm.routes.main_loop.candidates[0].weight"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(FILE, encoding="utf-8")
    return path


def config(file: Path, *assignments: str, **environment: str) -> PolicyConfig:
    return PolicyConfig(file, assignments=assignments, environment=environment)


def profiles(config: PolicyConfig, purpose: str) -> list[str]:
    return [c.profile for c in config.load().policy_file.llm.routes[purpose].candidates]


def test_set_puts_a_route_in_force(file: Path) -> None:
    found = config(file)

    found.set("llm.routes.plan_create", "reasoning")
    found.set("llm.routes.addressing", {"profile": "cheap", "fallback_profiles": ["default"]})

    assert profiles(found, "plan_create") == ["reasoning"]
    route = found.load().policy_file.llm.routes["addressing"]
    assert (route.candidates[0].profile, route.fallback_profiles) == ("cheap", ("default",))


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        ("llm.routes.plan_create", "nope", "llm.routes.plan_create"),
        ("llm.routes.plan_creat", "cheap", "llm.routes.plan_creat"),
        (WEIGHT, 0, WEIGHT),
        ("llm.profiles.default", {"model": "m"}, "llm.profiles.default"),
        ("llm.api_key", "sk-hunter2", "llm.api_key"),
        ("llm.model", "${NO_SUCH_VARIABLE}", "llm.model"),
        ("mode", "served", "mode"),
        ("mode.x", 1, "mode.x"),
        ("llm.routes.main_loop.candidates[7]", {}, "llm.routes.main_loop.candidates[7]"),
    ],
)  # fmt: skip
def test_a_value_that_does_not_hold_is_refused_with_its_path_and_changes_nothing(
    file: Path, path: str, value: object, problem: str
) -> None:
    found = config(file)
    before = found.load()

    with pytest.raises(PolicyInvalid) as refused:
        found.set(path, value)

    assert problem in {p.path for p in refused.value.problems}
    assert "(line" not in next(p.message for p in refused.value.problems if p.path == problem)
    assert "hunter2" not in str(refused.value)
    assert found.load() == before


def test_all_problems_are_told_at_once_and_all_or_none_is_set(file: Path) -> None:
    found = config(file)

    with pytest.raises(PolicyInvalid) as refused:
        found.update({"mode": "serve", "llm.routes.a": "b", "serve_percent": 101})

    assert {p.path for p in refused.value.problems} == {"llm.routes.a", "serve_percent"}
    assert found.load().policy_file.mode is Mode.SHADOW


def test_values_that_only_hold_together_are_set_together(file: Path) -> None:
    found = config(file)

    found.update(
        {"llm.profiles.tiny": {"model": "tiny"}, "llm.routes.heartbeat": {"profile": "tiny"}}
    )

    assert profiles(found, "heartbeat") == ["tiny"]


def test_tuples_count_as_lists_and_what_yaml_has_not_is_a_type_error(file: Path) -> None:
    found = config(file)
    with pytest.raises(PolicyInvalid):
        found.set("llm.routes.heartbeat", {"fallback_profiles": ("nope",)})
    with pytest.raises(TypeError):
        found.set("llm.model", object())
    with pytest.raises(TypeError):
        found.set("llm.headers", {1: "x"})


def test_what_is_set_is_a_copy(file: Path) -> None:
    found, value = config(file), {"profile": "cheap", "fallback_profiles": ["default"]}
    found.set("llm.routes.heartbeat", value)

    value["profile"] = "nope"

    assert profiles(found, "heartbeat") == ["cheap"]


def test_the_command_line_s_values_are_yaml(file: Path) -> None:
    found = config(
        file,
        "llm.routes.plan_create=reasoning",
        "llm.routes.addressing={profile: cheap, fallback_profiles: [default]}",
        "mode=off",
        "serve_percent = 12.5",
        'catalog."acme/v1.5".input_price=5',
        "llm.routes.main_loop.candidates[1].weight=9",
    )
    policy = found.load().policy_file

    assert policy.llm.routes["addressing"].fallback_profiles == ("default",)
    assert (policy.mode, policy.serve_percent) == (Mode.OFF, 12.5)
    assert policy.catalog["acme/v1.5"].input_price == 5
    assert [c.weight for c in policy.llm.routes["main_loop"].candidates] == [1, 9]


def test_the_environment_s_values_are_yaml_too(file: Path) -> None:
    found = config(
        file,
        POINTSMAN_POLICY__LLM__ROUTES__PLAN_CREATE="reasoning",
        POINTSMAN_POLICY__MODE="off",
        POINTSMAN_POLICY_FILE="not-this-one",
    )

    assert profiles(found, "plan_create") == ["reasoning"]
    assert found.load().policy_file.mode is Mode.OFF


def test_code_wins_over_the_command_line_and_that_over_the_environment(file: Path) -> None:
    found = config(file, "mode=serve", POINTSMAN_POLICY__MODE="off")
    assert found.load().policy_file.mode is Mode.SERVE

    found.set("mode", "shadow")

    assert found.load().policy_file.mode is Mode.SHADOW


@pytest.mark.parametrize("text", ["mode", "=x", "a..b=1", "a.=1", "[0].a=1", "a]=1", 'a"b=1'])
def test_what_is_no_assignment_is_refused(text: str) -> None:
    with pytest.raises(PolicyInvalid):
        assignment(text)


@pytest.mark.parametrize("text", ["a={", "a=!!binary x", "a={b: 1, b: 2}"])
def test_a_value_that_is_no_yaml_is_refused_with_its_path(text: str) -> None:
    with pytest.raises(PolicyInvalid) as refused:
        assignment(text)

    assert refused.value.problems[0].path.startswith("a")


def test_a_variable_without_a_path_is_refused() -> None:
    with pytest.raises(PolicyInvalid):
        from_environment({"POINTSMAN_POLICY__": "x"})


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("llm.routes.plan_create", ("llm", "routes", "plan_create")),
        ('catalog."acme/v1.5".tools', ("catalog", "acme/v1.5", "tools")),
        ("tiers.kilo-auto/small.policy", ("tiers", "kilo-auto/small", "policy")),
        ("a.b[0].c", ("a", "b", 0, "c")),
    ],
)
def test_a_path_is_read(text: str, path: tuple[Any, ...]) -> None:
    assert key_path(text) == path


def test_the_version_tells_what_is_set(file: Path) -> None:
    plain, one = config(file), config(file, "mode=off")
    versions = {c.load().policy_file.version for c in (plain, one, config(file, "mode=serve"))}

    assert len(versions) == 3
    assert one.load().policy_file.version == one.version_of(file.read_bytes())
    plain.set("mode", "off")
    assert plain.load().policy_file.version == one.load().policy_file.version


def test_check_takes_set_too(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check_command([str(file), "--set", "mode=off"]) == 0
    assert "mode off" in capsys.readouterr().out

    assert check_command([str(file), "--set", "llm.routes.plan_create=nope"]) == 1
    assert "llm.routes.plan_create: there is no profile `nope`" in capsys.readouterr().out


async def test_a_watcher_keeps_what_is_set_over_a_new_version_of_the_file(file: Path) -> None:
    found, taken, outcomes = config(file, "mode=off"), [], []
    watcher = PolicyWatcher(
        path=file,
        config=found,
        current=found.load(),
        on_loaded=taken.append,
        on_outcome=outcomes.append,
    )
    for _ in range(3):
        await watcher.poll()
    assert taken == []

    await asyncio.to_thread(file.write_text, FILE.replace("gpt-5.4", "gpt-5.5"))
    for _ in range(2):
        await watcher.poll()

    [new] = taken
    assert isinstance(new, Loaded)
    assert new.policy_file.mode is Mode.OFF
    assert new.policy_file.llm.profiles["default"].model == "gpt-5.5"
    assert watcher.state.version == new.policy_file.version


async def test_a_watcher_takes_what_is_set_while_it_watches(file: Path) -> None:
    found, taken = config(file), []
    watcher = PolicyWatcher(
        path=file,
        config=found,
        current=found.load(),
        on_loaded=taken.append,
        on_outcome=lambda _: None,
    )

    found.set("llm.routes.plan_create", "reasoning")
    for _ in range(2):
        await watcher.poll()

    [new] = taken
    assert new.policy_file.llm.routes["plan_create"].candidates[0].profile == "reasoning"
