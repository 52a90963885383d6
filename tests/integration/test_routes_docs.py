"""docs/routes.md: every example of it runs, and shows what comes out."""

from __future__ import annotations

import ast
import asyncio
import inspect
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from pointsman_client.resolve_cli import resolve as resolve_command
from pointsman_server.policies.check import check_text
from pointsman_server.policies.loader import read
from support.served import Peer, Starter

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "routes.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


YAML, PYTHON, SHELL, CONSOLE = map(blocks, ("yaml", "python", "shell", "console"))
FIRST, FORMS, MISTAKES, ERRORS = YAML


def policy(*further: str) -> str:
    """The built-in policy file with the page's first example, and with others over it."""
    document = yaml.safe_load(read(None))
    for example in (FIRST, *further):
        _merge(document, yaml.safe_load(example))
    return yaml.safe_dump(document, sort_keys=False)


def _merge(below: dict[str, Any], above: dict[str, Any]) -> None:
    for key, value in above.items():
        if key in {"llm", "routes", "profiles"} and isinstance(below.get(key), dict):
            _merge(below[key], value)
        else:
            below[key] = value


@pytest.fixture
async def peer(start: Starter) -> Peer:
    document = yaml.safe_load(policy(FORMS))
    document["mode"] = "serve"
    document["engines"]["order"] = ["local"]
    return await start(policy=yaml.safe_dump(document, sort_keys=False))


def test_there_is_an_example_of_everything() -> None:
    assert [len(each) for each in (YAML, PYTHON, SHELL, CONSOLE)] == [4, 4, 2, 1]


@pytest.mark.parametrize("example", [FIRST, FORMS, ERRORS])
def test_an_example_of_the_file_loads_without_a_warning(example: str) -> None:
    report = check_text(policy(example))

    assert report.ok, report.problems
    assert not [w for w in report.warnings if w.path.startswith("llm")]


def test_the_first_example_loads_as_it_stands_behind_the_built_in_file() -> None:
    assert check_text(read(None).decode() + FIRST).ok


def test_the_mistakes_are_told_as_shown() -> None:
    [shown] = blocks("text")
    told = [re.sub(r" \(line \d+\)$", "", line) for line in check_text(policy(MISTAKES)).lines()]

    assert told == shown.splitlines()


async def test_the_command_prints_what_is_shown(
    start: Starter, capsys: pytest.CaptureFixture[str]
) -> None:
    document = yaml.safe_load(policy())
    document["engines"]["order"] = ["local"]
    peer = await start(policy=yaml.safe_dump(document, sort_keys=False))
    [shown] = CONSOLE
    serve, command, output = shown.split("\n", 2)
    assert serve == "$ pointsman serve --policy-file policy.yaml"
    arguments = shlex.split(command.removeprefix("$ pointsman resolve "))

    status = await asyncio.to_thread(
        resolve_command, [*arguments, "--address", f"127.0.0.1:{peer.running.port}"]
    )

    printed = re.sub(r"[0-9a-f]{16}", "0123456789abcdef", capsys.readouterr().out)
    assert (status, printed) == (0, output)


async def test_the_python_examples_run(
    peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []

    async def complete(prompt: str, *, model: str, api_key: str) -> str:
        asked.append((model, api_key))
        return "" if model == "claude-opus-4-6" else "Everybody."

    monkeypatch.setenv("OPENAI_API_KEY", "key-of-openai")
    monkeypatch.setenv("CLAUDE_API_KEY", "key-of-claude")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.yaml").write_text(policy())
    names: dict[str, Any] = {"complete": complete}
    for example in PYTHON:
        source = example.replace("127.0.0.1:50051", f"127.0.0.1:{peer.running.port}")
        code = compile(source, "docs/routes.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        running = eval(code, names)
        if inspect.iscoroutine(running):
            await running

    assert names["answer"] == "Everybody."
    assert asked == [("gpt-4o-mini", "key-of-openai"), ("claude-opus-4-6", "key-of-claude")]
    assert names["tried"] == [("reasoning", "unusable_response")]
    routes = names["loaded"].policy_file.llm.routes
    assert routes["plan_create"].candidates[0].profile == "reasoning"


COMMANDS = [line for block in SHELL for line in block.splitlines()]


@pytest.mark.parametrize("command", COMMANDS)
async def test_the_commands_run(command: str, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(policy())
    words = shlex.split(command)
    environment = dict(os.environ)
    while "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        environment[name] = value
    if words[0] == "pointsman":
        words, folder = [sys.executable, "-m", "pointsman_server", *words[1:]], tmp_path
    else:
        folder = ROOT
        environment |= {"GOCACHE": str(tmp_path), "GO111MODULE": "off"}
        if shutil.which(words[0]) is None:
            pytest.skip(f"{words[0]} IS NOT INSTALLED: `{command}` was not tried")

    run = await asyncio.to_thread(
        subprocess.run, words, cwd=folder, env=environment, capture_output=True, text=True,
        check=False, timeout=110,
    )  # fmt: skip

    assert run.returncode == 0, run.stdout + run.stderr
    assert "ok: mode shadow" in run.stdout or "200 of 200" in run.stdout


async def test_the_example_with_two_providers_runs() -> None:
    run = await asyncio.to_thread(
        subprocess.run, [sys.executable, str(ROOT / "examples" / "fallback.py")],
        capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip

    assert run.returncode == 0, run.stdout + run.stderr
    assert "raised 503 after: default http_429, backup http_503" in run.stdout
    for event in ("candidate_failed", "triggered", "exhausted"):
        assert f"fallback {event}: purpose=plan_create" in run.stdout
    assert "key-of" not in run.stdout + run.stderr
