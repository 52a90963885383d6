"""`pointsman --help` and the help of each command."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from importlib.metadata import entry_points

import pytest
from pointsman_server.__main__ import SUMMARIES, main
from pointsman_server.cli.completion import completion

COMMANDS = sorted(entry.name for entry in entry_points(group="pointsman.commands"))


def test_every_command_has_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for command in COMMANDS:
        assert any(line.split(maxsplit=1) == [command, SUMMARIES[command]] for line in lines)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with contextlib.suppress(SystemExit):
        main([command, "--help"])
    assert "example:\n  " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "mistyped", "option"),
    [
        ("check", "--jsn", "--json"),
        ("decide", "--static-pik", "--static-pick"),
        ("describe", "--adress", "--address"),
        ("health", "--servcie", "--service"),
        ("init", "--froce", "--force"),
        ("report", "--input-token5", "--input-tokens"),
        ("score", "--raeder", "--reader"),
        ("serve", "--worker5", "--workers"),
        ("test", "--test5", "--tests"),
    ],
)
def test_a_mistyped_option_is_answered_with_the_one_that_was_meant(
    command: str, mistyped: str, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with contextlib.suppress(SystemExit):
        main([command, mistyped])
    said = capsys.readouterr().err
    assert said.endswith(f"unrecognized arguments: {mistyped}; did you mean {option}?\n")


def test_an_unknown_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["descibe"]) == 2
    said = capsys.readouterr().err
    assert (
        said == "pointsman: no command 'descibe': did you mean `describe`? See pointsman --help\n"
    )
    assert main(["xyz"]) == 2
    assert "decide" in capsys.readouterr().err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_knows_the_commands(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert completion([shell]) == 0
    script = capsys.readouterr().out
    assert all(command in script for command in COMMANDS)


def test_bash_completes_commands_and_options() -> None:
    program = f"""
        eval "$({sys.executable} -m pointsman_server completion bash)"
        pointsman() {{ {sys.executable} -m pointsman_server "$@"; }}
        complete_line() {{ COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _pointsman; }}
        complete_line pointsman des; echo "${{COMPREPLY[@]}}"
        complete_line pointsman check --j; echo "${{COMPREPLY[@]}}"
    """
    run = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == ["describe", "--json"]
