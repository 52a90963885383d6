"""`pointsman report`, as a script and as a person see it."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from pointsman_server.cli.report import report
from support.log_lines import decided, raw
from support.records import skipped

LINES = [raw(decided(conversation=at, body_bytes=4_000 + at)) for at in range(120)]


def run(*argv: str, stdin: bytes = b"", **env: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "pointsman_server", "report", *argv],
        input=stdin,
        capture_output=True,
        check=False,
        env=os.environ | env,
    )


def shell(command: str) -> subprocess.CompletedProcess[bytes]:
    """Run `report` and what follows, redirections too."""
    line = f"{sys.executable} -m pointsman_server report {command}"
    return subprocess.run(["bash", "-c", line], capture_output=True, check=False)


@pytest.fixture
def log(tmp_path: Path) -> str:
    file = tmp_path / "decisions.jsonl"
    file.write_bytes(b"".join(LINES))
    return str(file)


def test_standard_input_is_read_where_it_is_named_and_where_nothing_is() -> None:
    named, unnamed = (run(*argv, stdin=b"".join(LINES)) for argv in (["-"], []))
    assert (named.returncode, named.stderr) == (0, b"")
    assert b"Serving would cost $" in named.stdout
    assert named.stdout == unnamed.stdout


def test_rotated_files_add_up_compressed_or_not(
    tmp_path: Path, log: str, capsys: pytest.CaptureFixture[str]
) -> None:
    older = tmp_path / "decisions.jsonl.1"
    older.write_bytes(gzip.compress(raw(skipped()) * 3))
    assert report([log, str(older), "--json"]) == 0
    read = json.loads(capsys.readouterr().out)["read"]
    assert (read["files"], read["lines"]) == (2, 123)


def test_lines_that_cannot_be_read_are_told_and_do_not_fail(
    log: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with Path(log).open("ab") as file:
        file.write(b"canary\n")
    assert report([log]) == 0
    out = capsys.readouterr().out
    assert f"{log}, line 121: not JSON" in "".join(out.split("\n" + " " * 28))
    assert "canary" not in out


def test_prices_and_tokens_are_those_that_are_given(
    tmp_path: Path, log: str, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = tmp_path / "policy.yaml"
    names = ("anthropic/claude-opus-4.8", "anthropic/claude-haiku-4.5")
    catalog = {
        name: {"router_id": f"r{at}", "input_price": 10 - 9 * at, "output_price": 0}
        for at, name in enumerate(names)
    }
    tiers = {"kilo-auto/frontier": {"policy": "balanced", "candidates": list(names)}}
    policy.write_text(yaml.safe_dump({"tiers": tiers, "catalog": catalog}))
    options = ["--policy-file", str(policy), "--input-tokens", "1000", "--output-tokens", "7"]
    assert report([log, "--json", *options, "--router-price", "3"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["assumed"]["router_price"] == {"morph": 3, "local": 0}
    cost = figures["shadow"]["overall"]["cost"]
    assert (cost["static"], cost["decided"]) == (10, 1)
    assert (cost["difference"], cost["alike"]) == (None, True)
    assert cost["verdict"]["says"] == "unclear"
    assert "each costs $9.00 less" in cost["verdict"]["text"]


BAD_USAGE = {
    "a file that is not there": (
        ["/nowhere.jsonl"],
        "cannot open /nowhere.jsonl: No such file or directory",
    ),
    "a folder": (["/"], "cannot open /: Is a directory"),
    "a policy file that is not there": (["-", "--policy-file", "/nowhere.yaml"], "/nowhere.yaml"),
    "tokens that are none": (["-", "--output-tokens", "many"], "--output-tokens"),
    "fewer tokens than none": (["-", "--input-tokens", "-1"], "--input-tokens"),
    "a price without end": (["-", "--router-price", "inf"], "--router-price"),
    "an option that there is not": (["-", "--nope"], "--nope"),
}


@pytest.mark.parametrize(("argv", "said"), BAD_USAGE.values(), ids=BAD_USAGE)
def test_bad_usage_is_told_in_words(argv: list[str], said: str) -> None:
    done = run(*argv)
    assert done.returncode == 2
    assert said in done.stderr.decode()
    assert b"Traceback" not in done.stderr
    assert done.stdout == b""


def test_a_file_that_would_count_twice_is_refused(
    tmp_path: Path, log: str, capsys: pytest.CaptureFixture[str]
) -> None:
    link = tmp_path / "current"
    link.symlink_to(log)
    assert report([log, str(link)]) == 2
    assert f"{link} is the same file as {log}" in capsys.readouterr().err


NOTHING = {
    "an empty file": (b"", "no line in"),
    "blank lines": (b"\n \n", "no line in"),
    "a file of another kind": (b"canary\nelse\n", "2 of 2 lines cannot be read; the first,"),
    "a log of other events": (b'{"event":"canary"}\n', "is this the decision log?"),
    "another program's log": (b'{"level":"canary"}\n', "is this the decision log?"),
    "data that is cut off": (b"\x1f\x8b\x08\x00", "compressed data that is damaged or cut off"),
}


@pytest.mark.parametrize(("content", "said"), NOTHING.values(), ids=NOTHING)
def test_without_a_decision_the_status_says_so_and_the_file_is_named(
    content: bytes, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "some.log"
    file.write_bytes(content)
    assert report([str(file)]) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert str(file) in printed.err
    assert "canary" not in printed.err
    assert printed.out == ""


def test_at_a_terminal_without_a_file_it_asks_for_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    with pytest.raises(SystemExit) as ended:
        report([])
    assert ended.value.code == 2
    assert "name a file" in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_traceback(log: str) -> None:
    assert shell(f"{log} | true").stderr == b""


def test_standard_input_that_is_closed_is_told_and_a_file_does_without(log: str) -> None:
    done = shell("<&-")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"standard input is closed" in done.stderr
    assert b"Traceback" not in done.stderr
    assert shell(f"{log} <&-").returncode == 0


@pytest.mark.parametrize("option", ["", "--json"])
def test_a_disk_that_is_full_is_told(option: str, log: str) -> None:
    done = shell(f"{log} {option} > /dev/full")
    assert done.returncode == 2
    told = b"pointsman: the report cannot be printed: No space left on device\n"
    assert done.stderr == told


def test_names_that_a_terminal_cannot_show_are_shown_escaped(tmp_path: Path) -> None:
    odd = os.fsdecode(bytes(tmp_path) + b"/b\xff\xc3\xa9.jsonl")
    model = "caf\N{LATIN SMALL LETTER E WITH ACUTE}"
    Path(odd).write_bytes(b"".join(LINES) + raw(decided(model)) + b"canary\n")
    for encoding in ("ascii", "utf-8"):
        done = run(odd, PYTHONIOENCODING=encoding)
        assert (done.returncode, done.stderr) == (0, b"")
        assert b"\\udcff" in done.stdout
        assert (b"caf\\xe9" in done.stdout) == (encoding == "ascii")
    missing = run(f"{odd}.1", PYTHONIOENCODING="ascii")
    assert missing.returncode == 2
    assert b"Traceback" not in missing.stderr


def test_the_built_in_catalog_is_called_that(log: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert report([log]) == 0
    assert "built-in catalog (--policy-file)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "prices"),
    [
        ([], {"morph": 5, "local": 0, "decision_model": 0.4}),
        (["--router-price", "3"], {"morph": 3, "local": 0, "decision_model": 0.4}),
        (["--decision-model-price", "2"], {"morph": 5, "local": 0, "decision_model": 2}),
    ],
    ids=str,
)
def test_prices_of_engines_are_the_policy_files_unless_they_are_given(
    tmp_path: Path,
    log: str,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    prices: dict[str, float],
) -> None:
    models = {
        name: {"url": "https://jev.test", "format": "systemone", "model": "m", "price_per_call": p}
        for name, p in (("cheap", 0.0001), ("dear", 0.0004))
    }
    policy = tmp_path / "policy.yaml"
    document = {
        "tiers": {"kilo-auto/frontier": {"policy": "balanced", "candidates": ["a/x", "a/y"]}},
        "catalog": {name: {"router_id": name} for name in ("a/x", "a/y")},
        "engines": {"order": ["cheap", "dear", "local"], "decision_models": models},
    }
    policy.write_text(yaml.safe_dump(document))
    assert report([log, "--json", "--policy-file", str(policy), *options]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["assumed"]["router_price"] == prices
