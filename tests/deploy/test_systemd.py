"""The unit for systemd: valid, and locked down, by systemd's own checks."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pointsman_server.bootstrap.env_typos import check_names
from support.machine import program

UNIT = Path(__file__).parents[2] / "deploy" / "systemd" / "pointsman.service"
MOST_EXPOSED = 2.0
"""Of ten; systemd calls up to 2 "OK"."""


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with this environment's `pointsman`: systemd looks whether the program is there."""
    here = Path(sys.executable).parent
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/opt/pointsman/bin", str(here)))
    return copy


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [program("systemd-analyze", package="systemd"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)


def test_systemd_finds_nothing_to_complain_of(unit: Path) -> None:
    checked = analyze("verify", "--man=no", str(unit))
    complaints = [line for line in checked.stderr.splitlines() if UNIT.name in line]
    assert complaints == []


def test_systemd_finds_what_is_wrong(unit: Path) -> None:
    unit.write_text(unit.read_text().replace("Restart=on-failure", "Restart=on-failing"))
    assert "on-failing" in analyze("verify", "--man=no", str(unit)).stderr


def test_little_is_exposed(unit: Path) -> None:
    threshold = str(int(MOST_EXPOSED * 10))
    found = analyze("security", "--offline=yes", f"--threshold={threshold}", str(unit))
    assert re.search(r"Overall exposure level.*: (\S+) ", found.stdout), found.stderr
    assert found.returncode == 0, found.stdout[-200:]


def test_it_notifies_and_reloads_as_the_service_does() -> None:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment]
    parser.read(UNIT)
    service = parser["Service"]
    assert service["Type"] == "notify"
    assert service["ExecReload"] == "/bin/kill -HUP $MAINPID"
    check_names(dict(each.split("=") for each in service["Environment"].split()), also=())
