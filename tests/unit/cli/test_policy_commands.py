"""`pointsman init`, `check --json` and `test`: a policy file from its first line to CI."""

from __future__ import annotations

import contextlib
import json
import sys
import textwrap
from pathlib import Path

import pytest
from pointsman_server.cli.check import check
from pointsman_server.cli.init import init
from pointsman_server.cli.policy_test import policy_test
from pointsman_server.engines.local.readers.default import content_of

TIER = "kilo-auto/frontier"
OPUS = "anthropic/claude-opus-4.8"
PASSING = f"""
tests:
  - name: one candidate is no decision
    tier: {TIER}
    candidates: [openai/gpt-5.5]
    static_pick: openai/gpt-5.5
    prompt: Sort this list.
    expect: {{outcome: skipped, reason: insufficient_candidates, serve: openai/gpt-5.5}}
  - name: an organisation is left untouched
    tier: {TIER}
    static_pick: {OPUS}
    organization: acme
    prompt: Sort this list.
    expect: {{outcome: "off", reason: organization_excluded, serve: {OPUS}}}
  - name: the rest of a request is the contract's JSON
    tier: {TIER}
    static_pick: {OPUS}
    prompt: What is the capital of Portugal?
    request: {{constraints: {{deniedModels: [{OPUS}]}}}}
    expect: {{outcome: routed, not_model: {OPUS}, moved: true}}
  - name: some share moves
    tier: {TIER}
    static_pick: {OPUS}
    prompts: ["Rename foo to bar.", "What is the capital of Portugal?"]
    expect: {{moved: {{at_least: 0.0, at_most: 1.0}}}}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "policy.tests.yaml"
    path.write_text(text)
    return path


def test_init_writes_a_file_that_is_valid(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "policy.yaml"
    assert init([str(path)]) == 0
    assert check([str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out.partition("\n{")[2].join(("{", "")))
    assert found["ok"]
    assert found["errors"] == []
    assert "# The policy file" in path.read_text()


def test_init_replaces_nothing_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("mine")
    assert init([str(path)]) == 2
    assert path.read_text() == "mine"
    assert "--force" in capsys.readouterr().err
    assert init([str(path), "--force"]) == 0
    assert init([str(tmp_path / "no" / "policy.yaml")]) == 2


def test_a_policy_file_without_tests_is_told_how_to_begin(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "policy.yaml"
    assert init([str(path)]) == 0
    assert policy_test([str(path)]) == 2
    assert f"no tests: {tmp_path / 'policy.tests.yaml'}: write it" in capsys.readouterr().err


def test_the_tests_of_the_help_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with contextlib.suppress(SystemExit):
        policy_test(["--help"])
    shown = capsys.readouterr().out.partition("policy.tests.yaml:\n")[2]
    path = tmp_path / "policy.yaml"
    assert init([str(path)]) == 0
    written(tmp_path, textwrap.dedent(shown))
    assert policy_test([str(path)]) == 0


def test_check_as_json_names_each_problem(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("mode: loud\ntiers: {a: {policy: balanced}}\ncatalog: {}\n")
    assert check([str(path), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert not found["ok"]
    assert "mode" in {each["path"] for each in found["errors"]}


def test_check_refuses_an_artefact_that_the_server_would_refuse(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    artefact = tmp_path / "reader.bin"
    named = ["--set", f"engines.local.artefact={artefact}"]
    assert check(named) == 1
    said = capsys.readouterr().out
    assert (
        said == f"engines.local.artefact: {artefact}: cannot be read: No such file or directory\n"
    )
    artefact.write_bytes(b"no artefact")
    assert check([*named, "--json"]) == 1
    [error] = json.loads(capsys.readouterr().out)["errors"]
    assert error["path"] == "engines.local.artefact"
    assert "not an artefact" in error["message"]


def test_check_loads_the_artefact_of_a_good_policy_file(tmp_path: Path) -> None:
    artefact = tmp_path / "reader.bin"
    artefact.write_bytes(content_of(None))
    assert check(["--set", f"engines.local.artefact={artefact}"]) == 0


def test_check_tells_that_the_semantic_readers_weights_are_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pointsman_semantic", None)
    assert check(["--set", "engines.local.reader=auto"]) == 1
    assert "engines.local.reader: the semantic reader's weights are not installed" in (
        capsys.readouterr().out
    )


def test_tests_that_hold_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert policy_test(["--tests", str(written(tmp_path, PASSING))]) == 0
    assert capsys.readouterr().out.endswith("4 passed, 0 failed\n")


def test_the_tests_stand_beside_the_policy_file(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    init([str(path)])
    written(tmp_path, PASSING)
    assert policy_test([str(path)]) == 0


@pytest.mark.parametrize(
    ("expect", "said"),
    [
        (f"{{model: {OPUS}}}", "wanted anthropic/claude-opus-4.8"),
        ("{outcome: skipped}", "outcome is routed, wanted skipped"),
        ("{reason: unknown_tier}", "wanted unknown_tier"),
        ("{moved: false}", "wanted the same as the static pick"),
        ("{serve: [a/b, c/d]}", "wanted one of a/b, c/d"),
    ],
)
def test_a_test_that_fails_says_what_it_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], expect: str, said: str
) -> None:
    test = (
        f"tests: [{{name: n, tier: {TIER}, static_pick: {OPUS}, prompt: Say hello to Bob.,"
        f" request: {{constraints: {{deniedModels: [{OPUS}]}}}}, expect: {expect}}}]"
    )
    assert policy_test(["--tests", str(written(tmp_path, test))]) == 1
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tests: [", "not YAML (line 1)"),
        ("tests: []", "tests: "),
        ("tests: [{name: n, expect: {}}]", "tests[0].expect: expects nothing"),
        ("tests: [{name: n, exepct: {moved: true}}]", "tests[0].exepct: "),
        ("tests: [{name: n, prompt: a, prompts: [b], expect: {moved: true}}]", "one of them"),
        ("tests: [{name: n, prompt: a, expect: {moved: {at_least: 1}}}]", "needs `prompts`"),
        ("tests: [{name: n, prompts: [a], expect: {moved: {at_least: 50}}}]", "at_least: "),
    ],
)
def test_a_file_that_cannot_be_used_names_the_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    assert policy_test(["--tests", str(written(tmp_path, text))]) == 2
    assert said in capsys.readouterr().err


def test_a_bad_request_fails_its_test(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    test = "tests: [{name: n, request: {caller: {userId: ' '}}, expect: {outcome: routed}}]"
    assert policy_test(["--tests", str(written(tmp_path, test))]) == 1
    assert "caller.user_id" in capsys.readouterr().out
    assert policy_test(["--tests", str(tmp_path / "none.yaml")]) == 2
    assert policy_test([]) == 2
