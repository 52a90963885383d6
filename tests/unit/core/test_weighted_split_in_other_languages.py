"""Programs in other languages, with nothing of ours but the vectors, reproduce the split."""

from __future__ import annotations

import os
import shutil
import subprocess
import warnings
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
VECTORS = ROOT / "docs" / "split-vectors.json"
PROGRAMS = {"node": ["node", "split.mjs"], "go": ["go", "run", "split.go"]}


@pytest.fixture(scope="module")
def go_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("go")


def checked(language: str, vectors: Path, go_cache: Path) -> subprocess.CompletedProcess[str]:
    """Run the program, or say loudly that its toolchain is missing."""
    command = PROGRAMS[language]
    if shutil.which(command[0]) is None:
        missing = f"{command[0]} IS NOT INSTALLED: the split was not tried in {language}"
        if os.environ.get("CI"):
            pytest.fail(missing)
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn(missing, stacklevel=2)
        pytest.skip(missing)
    go = {"GOCACHE": str(go_cache), "GO111MODULE": "off", "GOTOOLCHAIN": "local"}
    return subprocess.run(
        [*command, str(vectors)],
        cwd=ROOT / "examples" / "split",
        env={**os.environ, **go},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


@pytest.mark.parametrize("language", PROGRAMS)
def test_another_language_gets_every_row_right(language: str, go_cache: Path) -> None:
    run = checked(language, VECTORS, go_cache)

    assert (run.returncode, run.stdout.strip()) == (0, "200 of 200 rows right"), run.stderr


@pytest.mark.parametrize("language", PROGRAMS)
def test_another_language_notices_rows_that_are_wrong(
    language: str, go_cache: Path, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.json"
    text = VECTORS.read_text(encoding="utf-8")
    wrong.write_text(text.replace('"run_id": "r-', '"run_id": "s-'), encoding="utf-8")

    run = checked(language, wrong, go_cache)

    assert run.returncode == 1
    assert "expected" in run.stderr
