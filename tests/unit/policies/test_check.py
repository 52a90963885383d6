from __future__ import annotations

from pathlib import Path

import pytest
from pointsman_server.policies.check import check, check_text, rendered
from pointsman_server.policies.diagnostics import MOST_PROBLEMS

VALID = Path(__file__).parents[2] / "data" / "policies" / "valid"


def test_a_good_file_is_summed_up_in_one_line() -> None:
    report = check(VALID / "minimal.yaml")

    assert report.ok
    (line,) = report.lines()
    assert line.startswith(
        "ok: mode shadow, 1 tiers, 2 of 2 models routable, engines morph then local, version "
    )


def test_text_is_checked_as_a_file_is() -> None:
    file = VALID / "full.yaml"

    assert check_text(file.read_text()) == check(file) == check_text(file.read_bytes())


def test_a_missing_file_is_a_problem_of_the_report(tmp_path: Path) -> None:
    report = check(tmp_path / "no.yaml")

    assert not report.ok
    assert report.summary == ""
    assert rendered(report.problems) == (
        f"cannot read {tmp_path}/no.yaml: No such file or directory",
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "the file is empty"),
        ("[]", "the file must be a mapping"),
        ("mode: shadow: x", "the file is not YAML: mapping values are not allowed here"),
    ],
)
def test_a_problem_of_the_whole_file_is_a_sentence(text: str, line: str) -> None:
    (said,) = check_text(text).lines()
    assert said.startswith(line)


def test_text_that_cannot_be_encoded_is_a_problem() -> None:
    assert not check_text("mode: \ud800").ok


def test_more_problems_than_anybody_reads_are_cut() -> None:
    report = check_text("".join(f"key{i}: 1\n" for i in range(5_000)))

    assert len(report.problems) == MOST_PROBLEMS + 1
    assert report.problems[-1].message == "has more problems than these 100"
    assert all(len(line) < 400 for line in report.lines())


def test_a_long_key_is_cut() -> None:
    report = check_text("x" * 100_000 + "-: 1\n")

    assert all(len(line) < 400 for line in report.lines())


@pytest.mark.parametrize(
    "secret",
    [
        "sk-live-51H8abcdefgh",
        "sk-canary-letters-alone",
        "ghp_abcdefghijklmnopqrstuvwxyz",
        "AKIAIOSFODNN7EXAMPLE",
        "hunter2",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        "Bearer abcdef0123456789",
        "0123456789abcdef0123456789abcdef",
    ],
)
@pytest.mark.parametrize(
    "text",
    [
        "{secret}: 1\n",
        "mode: shadow\n{secret}:\n  a: 1\n",
        "engines:\n  {secret}: 1\n",
        "llm:\n  provider: p\n  model: m\n  azure: {{{secret}: x}}\n",
        "engines: {{morph: {{{secret}: {secret}}}}}\n",
    ],
)
def test_a_secret_in_the_place_of_a_key_is_not_printed_whole(text: str, secret: str) -> None:
    told = "\n".join(check_text(text.format(secret=f'"{secret}"')).lines())
    assert secret not in told
    assert f"{secret[:4]}..." in told


@pytest.mark.parametrize(("key", "hint"), [("serve_percnt", "serve_percent"), ("mod", "mode")])
def test_a_misspelt_key_is_printed_whole(key: str, hint: str) -> None:
    told = check_text(f"{key}: 1\n").lines()
    assert f"{key}: unknown key `{key}`; did you mean `{hint}`? (line 1)" in told
