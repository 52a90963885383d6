"""One file a mistake: the comment on top of each is what `check` must say about it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pointsman_server.core.errors import PolicyInvalid
from pointsman_server.policies.check import check
from pointsman_server.policies.loader import load

POLICIES = Path(__file__).parents[2] / "data" / "policies"
INVALID = sorted((POLICIES / "invalid").glob("*.yaml"))
WARNED = sorted((POLICIES / "warned").glob("*.yaml"))


def expected_lines(file: Path) -> list[str]:
    lines = file.read_text(encoding="utf-8").splitlines()
    return [line.removeprefix("# ") for line in lines if line.startswith("# ")]


@pytest.mark.parametrize("file", INVALID, ids=lambda file: file.stem)
def test_a_mistake_is_refused_with_its_path_and_line(file: Path) -> None:
    assert list(check(file).lines()) == expected_lines(file)


@pytest.mark.parametrize("file", INVALID, ids=lambda file: file.stem)
def test_loading_a_mistake_raises_policy_invalid_without_the_text_of_the_file(file: Path) -> None:
    with pytest.raises(PolicyInvalid) as caught:
        load(file)

    assert caught.value.problems
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("file", WARNED, ids=lambda file: file.stem)
def test_what_is_unwise_is_allowed_with_a_warning(file: Path) -> None:
    report = check(file)

    assert report.ok
    assert list(report.lines()[:-1]) == [f"warning: {line}" for line in expected_lines(file)]
    assert report.summary.startswith("ok: ")


def test_there_are_fixtures_for_every_part_of_the_file() -> None:
    assert len(INVALID) > 100
    assert len(WARNED) > 10
