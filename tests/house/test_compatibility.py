"""Between versions: the contract only grows, and policy files of released versions are valid."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VERSIONS = sorted((ROOT / "tests" / "data" / "versions").iterdir())


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("version", VERSIONS, ids=lambda each: each.name)
def test_the_contract_breaks_no_client_of_a_released_version(version: Path) -> None:
    buf = Path(sys.executable).parent / "buf"
    checked = run(buf, "breaking", "--against", version / "contract.binpb")
    assert checked.returncode == 0, checked.stdout


def test_a_broken_contract_is_found(tmp_path: Path) -> None:
    buf = Path(sys.executable).parent / "buf"
    folder = tmp_path / "pointsman" / "v1"
    folder.mkdir(parents=True)
    for proto in (ROOT / "protos/pointsman/v1").glob("*.proto"):
        text = proto.read_text().replace("string serve_model = ", "bytes serve_model = ")
        (folder / proto.name).write_text(text)
    checked = run(buf, "breaking", tmp_path, "--against", VERSIONS[0] / "contract.binpb")
    assert "serve_model" in checked.stdout


@pytest.mark.parametrize("version", VERSIONS, ids=lambda each: each.name)
def test_the_policy_file_of_a_released_version_is_valid(version: Path) -> None:
    checked = run(sys.executable, "-m", "pointsman_server", "check", version / "policy.yaml")
    assert checked.returncode == 0, checked.stdout + checked.stderr
