"""`pointsman score`, as a script and as a person at a terminal see it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from pointsman_server.cli.score import score, watched

PROMPT = "How many apples are left when 5 of 12 were eaten?"
PAIR = ["anthropic/claude-opus-4.8", "anthropic/claude-haiku-4.5"]


def run(*argv: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "pointsman_server", "score", *argv],
        input=stdin,
        capture_output=True,
        check=False,
    )


def lines_of(*asked: object) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in asked)


def test_lines_from_stdin_are_answered_in_order_with_every_score_and_a_pick() -> None:
    done = run(stdin=lines_of(*({"id": at, "prompt": PROMPT} for at in range(50))))
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, done.stderr) == (0, b"")
    assert [answer["id"] for answer in answers] == list(range(50))
    assert answers[0]["model"] in {ranked["model"] for ranked in answers[0]["ranking"]}
    assert {"difficulty", "ambiguity", "domain", "topic", "policy"} <= set(answers[0])


def test_a_dash_is_standard_input() -> None:
    done = run("-", stdin=lines_of({"id": 7, "prompt": PROMPT}))
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["id"] == 7


def test_a_file_that_is_not_there_is_named() -> None:
    done = run("/nowhere.jsonl")
    assert done.returncode == 2
    assert done.stderr == b"pointsman: cannot open /nowhere.jsonl: No such file or directory\n"


def test_a_bad_line_is_answered_with_its_field_and_told_by_the_exit_status(tmp_path: Path) -> None:
    file = tmp_path / "prompts.jsonl"
    file.write_bytes(lines_of({"id": 1}) + b"{\xff}\n" + lines_of({"id": 3, "prompt": PROMPT}))
    done = run(str(file))
    first, second, third = (json.loads(line) for line in done.stdout.splitlines())
    assert done.returncode == 1
    assert first == {"id": 1, "error": "prompt: missing"}
    assert "not JSON" in second["error"]
    assert third["model"]
    assert b"2 lines" in done.stderr


def test_options_stand_in_for_what_a_line_does_not_say(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "prompts.jsonl"
    own = {"prompt": PROMPT, "policy": "domain_skills", "candidates": PAIR[::-1]}
    file.write_bytes(lines_of({"prompt": PROMPT}, own))
    argv = [str(file), "--policy", "capability_heavy", "--candidates", ", ".join(PAIR)]
    assert score(argv) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["policy"] == "capability_heavy"
    assert second["policy"] == "domain_skills"
    assert {ranked["model"] for ranked in first["ranking"]} == set(PAIR)


def test_prompts_are_cut_as_the_service_cuts_them_on_demand(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "prompts.jsonl"
    start = ("How many? " * 100)[:999] + "x"
    file.write_bytes(lines_of({"prompt": start}, {"prompt": start + " import os"}))
    assert score([str(file), "--as-served"]) == 0
    short, long = capsys.readouterr().out.splitlines()
    assert short == long


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--policy", "nope"], "--policy: one of balanced"),
        (["--candidates", "a,,b"], "--candidates"),
        (["--candidates", "a,a"], "--candidates"),
        (["--policy-file", "/nowhere.yaml"], "cannot read /nowhere.yaml"),
        (["/nowhere.jsonl"], "/nowhere.jsonl"),
    ],
)
def test_what_keeps_it_from_starting_is_told_in_words(
    argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert score(argv) == 2
    assert said in capsys.readouterr().err


def test_a_candidate_that_the_catalog_does_not_know_is_told() -> None:
    done = run("--candidates", "x/a,x/b", stdin=lines_of({"prompt": PROMPT}))
    assert done.returncode == 0
    assert b"x/a is not in the catalog" in done.stderr
    assert len(json.loads(done.stdout)["ranking"]) == 2


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    command = f"{sys.executable} -m pointsman_server score | head -n 1"
    done = subprocess.run(
        ["bash", "-c", command],
        input=lines_of(*({"prompt": PROMPT},) * 500),
        capture_output=True,
        check=False,
    )
    assert done.stderr == b""
    assert json.loads(done.stdout)["model"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_drawn_on_a_terminal_and_nowhere_else() -> None:
    lines = [b"abc\n"] * 4
    terminal, file = Terminal(), io.StringIO()
    assert list(watched(lines, total=16, to=terminal)) == lines
    assert list(watched(lines, total=16, to=file)) == lines
    assert f"[{'#' * 30}] 100 % 4 lines" in terminal.getvalue()
    assert file.getvalue() == ""


def test_progress_without_a_known_end_counts_lines() -> None:
    terminal = Terminal()
    assert list(watched([b"a\n"], total=None, to=terminal)) == [b"a\n"]
    assert "\r1 lines" in terminal.getvalue()


@pytest.mark.parametrize("reader", ["default", "semantic", "auto"])
def test_a_reader_may_be_chosen(
    reader: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "prompts.jsonl"
    file.write_bytes(lines_of({"prompt": PROMPT}))
    assert score([str(file), "--reader", reader]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert sum(answer["difficulty"]["probabilities"].values()) == pytest.approx(1.0, abs=1e-4)
    assert 1.0 <= answer["difficulty"]["effort"] <= 5.0
    assert 0.0 <= answer["turn"] <= 1.0
