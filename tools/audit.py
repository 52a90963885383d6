"""Looks every locked package up among the known vulnerabilities of PyPI's advisories, by pip-audit.

    python tools/audit.py

Exit status: 0 none is known, 1 some are, 3 not every package could be looked up.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

LOCKS = Path(__file__).parents[1] / "requirements"
CLEAN, VULNERABLE, UNKNOWN = 0, 1, 3


@dataclass
class Findings:
    """Vulnerabilities of the packages in one or more lock files, one line each."""

    clean: int = 0
    vulnerable: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    @property
    def status(self) -> int:
        """The exit status. A vulnerability takes precedence over failed lookups."""
        return VULNERABLE if self.vulnerable else UNKNOWN if self.unknown else CLEAN


def read(report: str, *, lock: str, into: Findings) -> None:
    """Add the findings of pip-audit's JSON. Raises `ValueError` for other text."""
    for each in json.loads(report)["dependencies"]:
        if reason := each.get("skip_reason"):
            into.unknown.append(f"{lock}: {each['name']}: {reason}")
        elif each["vulns"]:
            into.vulnerable += [f"{lock}: {line}" for line in _described(each)]
        else:
            into.clean += 1


def _described(package: dict[str, object]) -> Iterator[str]:
    for found in package["vulns"]:  # type: ignore[attr-defined]
        fixed = ", ".join(found["fix_versions"]) or "nothing yet"
        yield f"{package['name']} {package['version']}: {found['id']}, fixed in {fixed}"


def audit(lock: Path, *, into: Findings) -> None:
    """Look up the packages of one lock file."""
    command = [Path(sys.executable).parent / "pip-audit", "--format=json", "--progress-spinner=off",
               "--disable-pip", "--require-hashes", "--requirement", lock]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        read(done.stdout, lock=lock.name, into=into)
    except ValueError:
        said = done.stderr.strip().splitlines() or ["pip-audit said nothing"]
        into.unknown.append(f"{lock.name}: {said[-1]}")


def main() -> int:
    """Audit every lock file; the exit status."""
    findings = Findings()
    for lock in sorted(LOCKS.glob("*.txt")):
        audit(lock, into=findings)
    for line in findings.vulnerable:
        print(f"VULNERABLE  {line}", file=sys.stderr)
    for line in findings.unknown:
        print(f"UNKNOWN     {line}", file=sys.stderr)
    print(
        f"{findings.clean} without a known vulnerability, {len(findings.vulnerable)} vulnerable,"
        f" {len(findings.unknown)} not looked up"
    )
    return findings.status


if __name__ == "__main__":
    sys.exit(main())
