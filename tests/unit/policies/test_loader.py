from __future__ import annotations

import os
from pathlib import Path

import pytest
from pointsman_server.core.errors import PolicyInvalid
from pointsman_server.policies.loader import load
from pointsman_server.policies.yaml_tree import MAX_BYTES

VALID = Path(__file__).parents[2] / "data" / "policies" / "valid"


def problem_of(path: Path) -> str:
    with pytest.raises(PolicyInvalid) as caught:
        load(path)
    (problem,) = caught.value.problems
    assert problem.path == ""
    return problem.message


def test_a_file_is_loaded() -> None:
    assert set(load(VALID / "minimal.yaml").policy_file.tiers) == {"kilo-auto/small"}


def test_a_link_is_followed(tmp_path: Path) -> None:
    link = tmp_path / "policy.yaml"
    link.symlink_to(VALID / "minimal.yaml")

    assert load(link) == load(VALID / "minimal.yaml")


def test_a_missing_file_is_a_problem(tmp_path: Path) -> None:
    assert problem_of(tmp_path / "no.yaml") == (
        f"cannot read {tmp_path}/no.yaml: No such file or directory"
    )


def test_a_folder_is_a_problem(tmp_path: Path) -> None:
    assert problem_of(tmp_path) == f"cannot read {tmp_path}: not a regular file"


def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    assert problem_of(tmp_path / "pipe") == f"cannot read {tmp_path}/pipe: not a regular file"


def test_an_endless_device_is_refused() -> None:
    assert problem_of(Path("/dev/zero")) == "cannot read /dev/zero: not a regular file"


def test_an_impossible_path_is_a_problem() -> None:
    assert problem_of(Path("a\0b")).endswith("not a usable path")


def test_too_large_a_file_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    with path.open("wb") as file:
        file.truncate(1 << 40)

    assert problem_of(path) == f"cannot read {path}: larger than {MAX_BYTES:,} bytes"
