"""The first hour of each role: its page, followed literally in a fresh environment, with the time
that it took.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from e2e.parts.fresh_page import ROOT, FreshPage

pytestmark = [pytest.mark.part("first contact"), pytest.mark.timeout(1_200)]

PAGES = ("README.md", *sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("docs/start/*.md")))
# Pages that begin behind another one: its installation stands for theirs.
INSTALL = (
    "<!-- not run: a test does not install packages -->\n```sh\npip install '.[server]'\n```\n"
)


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty environment. The first page fills it; later ones install into it again."""
    folder = tmp_path_factory.mktemp("reader") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    return folder


@pytest.mark.parametrize("page", PAGES)
def test_the_page_of_a_role_works_from_nothing(
    page: str, tmp_path: Path, venv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    with FreshPage(tmp_path, venv) as fresh:
        fresh.follow(text if "pip install" in text else INSTALL + text)
        took = ", ".join(f"{part} {seconds:.0f} s" for part, seconds in fresh.seconds.items())
    with capsys.disabled():
        print(f"\n{page}: {took}")  # noqa: T201  # the figures that the run is for
