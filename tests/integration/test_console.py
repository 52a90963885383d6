"""Commands whose output goes nowhere, and commands that are interrupted: one line, one status."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from pointsman_server.__main__ import main

PROMPT = '{"prompt": "Fix the typo in the README."}\n'


def ran(*command: str, stdout: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command with its output redirected by a shell (`>/dev/full`, `>&-`)."""
    line = " ".join([f"exec {sys.executable} -m pointsman_server", *command, stdout])
    return subprocess.run(
        ["sh", "-c", line], input=given, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    ("stdout", "reason"),
    [(">/dev/full", "No space left on device"), (">&-", "standard output is closed")],
)
def test_a_result_that_cannot_be_written_is_one_line_and_a_status(stdout: str, reason: str) -> None:
    done = ran("score", stdout=stdout, given=PROMPT)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("pointsman: ")
    assert reason in line


def test_a_command_whose_status_is_its_result_needs_no_output() -> None:
    assert ran("check", stdout=">&-").returncode == 0


def test_an_interrupt_is_one_line_and_the_status_that_a_shell_gives_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("pointsman_server.__main__.run", interrupted)
    assert main(["serve"]) == 130
    assert capsys.readouterr().err == "pointsman: interrupted\n"


def test_an_interrupt_of_a_service_whose_log_is_json_is_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("pointsman_server.__main__.run", interrupted)
    monkeypatch.setenv("POINTSMAN_LOG_FORMAT", "json")
    assert main(["serve"]) == 130
    [line] = capsys.readouterr().err.splitlines()
    assert json.loads(line)["message"] == "interrupted"
