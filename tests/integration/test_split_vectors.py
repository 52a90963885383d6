"""docs/split-vectors.json, by the programs in other languages that docs/routes.md shows."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = [["go", "run", "examples/split/split.go"], ["node", "examples/split/split.mjs"]]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program[0])
async def test_another_language_computes_every_vector(program: list[str], tmp_path: Path) -> None:
    if shutil.which(program[0]) is None:
        pytest.skip(f"{program[0]} IS NOT INSTALLED: `{' '.join(program)}` was not tried")
    environment = os.environ | {"GOCACHE": str(tmp_path), "GO111MODULE": "off"}

    ran = await asyncio.to_thread(
        subprocess.run, [*program, "docs/split-vectors.json"], cwd=ROOT, env=environment,
        capture_output=True, text=True, check=False, timeout=110,
    )  # fmt: skip

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "200 of 200" in ran.stdout
