"""The decision cases against a real server, by JSON over HTTP and by the clients of `client/`."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from e2e.parts.language_clients import ROOT, copy_of
from e2e.parts.toolchain import need, run
from e2e.test_typescript_client import built

__all__ = ["built"]

pytestmark = [pytest.mark.part("conformance"), pytest.mark.timeout(1200)]

FEWEST = 250
"""Portable cases; fewer means that the runner leaves cases out."""


def _passed(*arguments: str) -> int:
    """The number of cases that passed; fails if one failed."""
    command = ["nice", sys.executable, str(ROOT / "tools" / "conformance.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode != 0:
        pytest.fail(f"{done.stdout}\n{done.stderr}", pytrace=False)
    return int(done.stdout.rpartition(" passed")[0].split()[-1])


@pytest.mark.scenario("JSON over HTTP")
def test_json_over_http() -> None:
    assert _passed() >= FEWEST


@pytest.mark.scenario("the TypeScript client, over gRPC")
def test_the_typescript_client(built: Path) -> None:
    program = built / "build" / "conformance" / "main.js"
    assert _passed("--client", shlex.join(["node", str(program)])) >= FEWEST


@pytest.mark.scenario("the Go client, over HTTP")
def test_the_go_client(tmp_path: Path) -> None:
    need("go")
    program = tmp_path / "conformance"
    run(["go", "build", "-o", program, "./conformance"], directory=copy_of("go", tmp_path))
    assert _passed("--client", str(program)) >= FEWEST
