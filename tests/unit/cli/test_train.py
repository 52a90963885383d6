"""`pointsman train`, as a person at a terminal sees it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from pointsman_server.cli.score import score
from pointsman_server.cli.train import train

LINES = [
    {"prompt": f"{words} {thing}", "difficulty": difficulty, "domain": domain}
    for thing in ("invoice", "parcel", "ticket", "badge", "order", "refund", "memo", "receipt")
    for words, difficulty, domain in (
        ("Where is my", "easy", "general"),
        ("Rename the", "easy", "general"),
        ("Thank them for the", "easy", "general"),
        ("cancel my", "easy", "general"),
        ("Write the SQL for last month's totals by", "medium", "data"),
        ("Add a filter and tests to the page of each", "medium", "coding"),
        ("Migrate five services to exactly-once delivery of every", "hard", "design"),
        ("Prove that the three ledgers always agree on each", "hard", "design"),
    )
]


def written(folder: Path, lines: Sequence[object]) -> Path:
    file = folder / "labelled.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def test_it_prints_a_table_and_writes_an_artefact_that_a_policy_file_may_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "reader.bin"
    assert train([str(written(tmp_path, LINES)), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    for row in ("held-out lines", "difficulty label right", "domain right", str(out)):
        assert row in said
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        "tiers: {kilo-auto/x: {policy: balanced, candidates: [a/b, c/d]}}\n"
        "catalog: {a/b: {}, c/d: {}}\n"
        f"engines: {{order: [local], local: {{artefact: {out}}}}}\n"
    )
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text('{"prompt": "Where is my parcel?"}\n')
    assert score([str(prompts), "--policy-file", str(policy)]) == 0
    assert json.loads(capsys.readouterr().out)["difficulty"]["label"] == "easy"


def test_the_labelled_requests_are_never_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path, LINES)
    before = file.read_bytes()
    assert train([str(file), "--out", str(file)]) == 2
    assert "holds the labelled requests" in capsys.readouterr().err
    assert file.read_bytes() == before


def test_what_cannot_be_measured_is_a_dash(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [{key: line[key] for key in line if key != "domain"} for line in LINES]
    file = written(tmp_path, [*lines])
    assert train([str(file), "--out", str(tmp_path / "reader.bin")]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert [row.split() for row in rows if row.startswith("domain")] == [
        ["domain", "right", "-", "-"]
    ]


def test_bad_lines_are_listed_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "reader.bin"
    file = written(tmp_path, [*LINES, {"prompt": "x", "effort": 9}, {"difficulty": "easy"}])
    assert train([str(file), "--out", str(out)]) == 2
    said = capsys.readouterr().err
    assert "line 65: effort: not a whole number from 1 to 5" in said
    assert "line 66: prompt: not a text" in said
    assert not out.exists()


def test_a_file_that_cannot_be_used_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path, LINES)
    assert train([str(tmp_path / "none"), "--out", "x"]) == 2
    assert train([str(file), "--out", "x", "--artefact", str(file)]) == 2
    assert train([str(written(tmp_path, LINES[:3])), "--out", "x"]) == 2
    said = capsys.readouterr().err
    assert "not an artefact" in said
    assert "60 is the fewest" in said


def test_a_place_that_cannot_be_written_is_found_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("the work began")

    monkeypatch.setattr("pointsman_server.cli.train.tune", never)
    file = written(tmp_path, LINES)
    assert train([str(file), "--out", str(tmp_path)]) == 2
    assert train([str(file), "--out", str(tmp_path / "none" / "reader.bin")]) == 2
    said = capsys.readouterr().err
    assert f"cannot open {tmp_path}: Is a directory" in said
    assert f"cannot open {tmp_path / 'none'}: No such file or directory" in said


def test_an_impossible_seed_is_bad_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        train([str(written(tmp_path, LINES)), "--out", "x", "--seed", "-1"])
    assert "not a whole number from 0 on" in capsys.readouterr().err


def test_a_second_round_says_that_the_reader_may_know_the_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = str(written(tmp_path, LINES)), str(tmp_path / "reader.bin")
    assert train([file, "--out", out]) == 0
    assert "fine-tuned before" not in capsys.readouterr().out
    assert train([file, "--out", out, "--artefact", out]) == 0
    assert f"{out} was fine-tuned before" in capsys.readouterr().out
