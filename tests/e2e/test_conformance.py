"""The conformance cases by the clients of `client/`, and by JSON over HTTP."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from e2e.parts.language_clients import ROOT, copy_of
from e2e.parts.toolchain import need, run
from e2e.test_typescript_client import built

__all__ = ["built"]


def cases_of(name: str) -> list[dict[str, Any]]:
    """The cases of one of the kit's data files."""
    found: list[dict[str, Any]] = json.loads((ROOT / "tests" / "data" / name).read_text())["cases"]
    return found


pytestmark = [pytest.mark.part("conformance"), pytest.mark.timeout(2400)]

WAYS = ("unary", "stream", "batch")
DECISIONS: list[dict[str, Any]] = cases_of("decision_cases.json")
CONVERSATIONS = [
    case
    for name in ("conversation_cases", "conversation_more_cases", "conversation_replays")
    for case in cases_of(f"{name}.json")
]
SCENARIOS = len(DECISIONS) + len(CONVERSATIONS)
"""A client that runs fewer leaves cases out."""
RUNS = sum(len(case.get("ways", WAYS[:1])) for case in DECISIONS)
RUNS += len(CONVERSATIONS) * len(WAYS)
"""Scenarios by each of their ways of asking."""


def test_the_data_has_its_cases() -> None:
    assert SCENARIOS >= 409


def _run(*arguments: str) -> tuple[int, int]:
    """Runs that passed, and scenarios; fails if one failed."""
    command = [sys.executable, str(ROOT / "tools" / "conformance.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode != 0:
        pytest.fail(f"{done.stdout}\n{done.stderr}", pytrace=False)
    counts = re.search(r"(\d+) passed, 0 failed, of (\d+) scenarios", done.stdout)
    assert counts, done.stdout
    return int(counts[1]), int(counts[2])


@pytest.mark.scenario("JSON over HTTP: each scenario but one, by calls")
def test_json_over_http() -> None:
    # JSON has no place for a field that the contract does not have.
    assert _run() == (SCENARIOS - 1, SCENARIOS - 1)


@pytest.mark.scenario("the Python client: calls, streams, batches")
def test_the_python_client() -> None:
    command = shlex.join([sys.executable, str(ROOT / "client" / "conformance.py")])
    assert _run("--client", command) == (RUNS, SCENARIOS)


@pytest.mark.scenario("the TypeScript client: calls, streams, batches")
def test_the_typescript_client(built: Path) -> None:
    program = built / "build" / "conformance" / "main.js"
    assert _run("--client", shlex.join(["node", str(program)])) == (RUNS, SCENARIOS)


@pytest.mark.scenario("the Go client: calls, streams, batches")
def test_the_go_client(tmp_path: Path) -> None:
    need("go")
    program = tmp_path / "conformance"
    run(["go", "build", "-o", program, "./conformance"], directory=copy_of("go", tmp_path))
    assert _run("--client", str(program)) == (RUNS, SCENARIOS)


@pytest.mark.scenario("a runner of its own drives the server over standard input and output")
def test_a_runner_of_its_own() -> None:
    command = [sys.executable, str(ROOT / "tools" / "conformance.py"), "--serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as kit:
        assert kit.stdin is not None
        assert kit.stdout is not None

        def say(**line: object) -> dict[str, object]:
            assert kit.stdin is not None
            assert kit.stdout is not None
            kit.stdin.write(json.dumps(line) + "\n")
            kit.stdin.flush()
            answer: dict[str, object] = json.loads(kit.stdout.readline())
            return answer

        listed = say(do="cases")["cases"]
        assert isinstance(listed, list)
        assert len(listed) == RUNS
        assert "error" in say(do="open", case="nobody knows", way="unary")
        opened = say(do="open", case="no user id", way="unary")
        step = say(do="next")
        assert step["request"]["prompt"]["has_tools"] is True  # type: ignore[index]
        wrong = say(do="check", found={"status": "OK"})["wrong"]
        assert wrong == ["status: OK instead of INVALID_ARGUMENT"]
        assert say(do="next") == {"end": True}
        assert str(opened["http"]).startswith("http://127.0.0.1:")
        kit.stdin.close()
        assert kit.wait(60) == 0
