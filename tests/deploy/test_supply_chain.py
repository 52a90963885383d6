"""What is installed is what was locked, and can be listed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from support.machine import program

ROOT = Path(__file__).parents[2]
_SPEC = spec_from_file_location("audit", ROOT / "tools" / "audit.py")
assert _SPEC is not None
assert _SPEC.loader is not None
audit = module_from_spec(_SPEC)
sys.modules["audit"] = audit
_SPEC.loader.exec_module(audit)
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)


def pinned(path: Path) -> dict[str, str]:
    """Package -> version, names as an index knows them."""
    return {_plain(name): version for name, version in PINNED.findall(path.read_text())}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_every_locked_package_is_pinned_with_hashes_and_names_no_index(lock: Path):
    uncommented = re.sub(r"^\s*#.*\n?", "", lock.read_text(), flags=re.MULTILINE)
    entries = re.sub(r"\\\n\s*", " ", uncommented)
    lines = [line for line in entries.splitlines() if line.strip()]
    assert lines
    for line in lines:
        assert re.match(r"[A-Za-z0-9._-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line), line


@pytest.mark.parametrize("name", ["deploy", "server", "train"])
def test_locks_that_share_an_environment_or_a_package_agree(name: str):
    dev, other = pinned(ROOT / "requirements/dev.txt"), pinned(ROOT / f"requirements/{name}.txt")
    shared = dev.keys() & other.keys()
    assert {each: dev[each] for each in shared} == {each: other[each] for each in shared}


def test_the_bill_of_materials_lists_the_project_and_every_package_that_the_image_is_locked_to(
    tmp_path: Path,
):
    made = tmp_path / "sbom.json"
    subprocess.run(
        [program("cyclonedx-py"), "requirements", "--pyproject", "pyproject.toml",
         "--output-reproducible", "--output-format", "JSON", "--output-file", made,
         "requirements/server.txt"],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    bill = json.loads(made.read_text())
    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["name"] == "pointsman"
    listed = {_plain(each["name"]): each for each in bill["components"]}
    locked = pinned(ROOT / "requirements/server.txt")
    assert {name: each["version"] for name, each in listed.items()} == locked
    for name, each in listed.items():
        assert each["purl"] == f"pkg:pypi/{name}@{each['version']}"
        assert each["externalReferences"][0]["hashes"], name


@pytest.mark.parametrize(
    ("package", "status"),
    [
        ({"vulns": []}, 0),
        ({"vulns": [{"id": "PYSEC-1", "fix_versions": ["2"]}]}, 1),
        ({"skip_reason": "not found"}, 3),
    ],
)
def test_an_audit_that_could_not_look_is_not_a_clean_one(package: dict[str, Any], status: int):
    findings = audit.Findings()
    known = {"name": "known", "version": "1", "vulns": []}
    report = {"dependencies": [known, {"name": "a", "version": "1"} | package]}
    audit.read(json.dumps(report), lock="x.txt", into=findings)
    assert findings.status == status


def _plain(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()
