"""The documentation site: every page is reachable, every link leads somewhere, nothing is loaded
from another host. That headings exist is told by its strict build, `make docs`.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def docs_site() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_site", ROOT / "tools" / "docs_site.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def repository(docs_site: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small repository, in the place of this one."""
    monkeypatch.setattr(docs_site, "ROOT", tmp_path)
    monkeypatch.setattr(docs_site, "DOCS", tmp_path / "docs")
    (tmp_path / "docs" / "start").mkdir(parents=True)
    (tmp_path / "mkdocs.yml").write_text("nav:\n  - Home: index.md\n")
    (tmp_path / "program.py").write_text("pass\n")
    return tmp_path


def test_every_link_of_the_docs_leads_to_a_page(docs_site: ModuleType, tmp_path: Path) -> None:
    site = docs_site.Site(tmp_path / "pages")
    site.lay_out()

    assert site.problems == []


def test_every_page_is_in_the_navigation(docs_site: ModuleType) -> None:
    assert docs_site.not_in_nav() == []


def test_a_page_outside_of_the_navigation_is_told(docs_site: ModuleType, repository: Path) -> None:
    (repository / "docs" / "index.md").write_text("# Home\n")
    (repository / "docs" / "start" / "new.md").write_text("# New\n")

    assert docs_site.not_in_nav() == ["start/new.md"]


def test_a_file_that_a_page_links_to_is_a_page(docs_site: ModuleType, repository: Path) -> None:
    page = "[it](../../program.py) and `[0](x)`\n\n```python\nnames[0](nothing)\n```\n"
    (repository / "docs" / "start" / "new.md").write_text(page)

    site = docs_site.Site(repository / "out")
    site.lay_out()

    laid = (repository / "out" / "start" / "new.md").read_text()
    assert "[it](../source/program.py.md)" in laid
    assert "names[0](nothing)" in laid
    assert "pass\n" in (repository / "out" / "source" / "program.py.md").read_text()


def test_a_link_to_nothing_is_told(docs_site: ModuleType, repository: Path) -> None:
    (repository / "docs" / "index.md").write_text("[gone](../gone.py)\n")

    site = docs_site.Site(repository / "out")
    site.lay_out()

    assert site.problems == ["docs/index.md: no such file: ../gone.py"]


def test_a_comment_for_the_tests_is_not_on_the_page(
    docs_site: ModuleType, repository: Path
) -> None:
    (repository / "docs" / "index.md").write_text("<!--\n```sh\nfalse\n```\n-->\nwords\n")

    docs_site.Site(repository / "out").lay_out()

    assert (repository / "out" / "index.md").read_text() == "words\n"


@pytest.mark.parametrize(
    "tag",
    [
        '<script src="https://cdn.example/a.js"></script>',
        '<link rel="stylesheet" href="//fonts.example/a.css">',
    ],
)
def test_what_comes_from_another_host_is_told(
    docs_site: ModuleType, tmp_path: Path, tag: str
) -> None:
    (tmp_path / "index.html").write_text(f"{tag}<script src='own.js'></script>")

    assert len(docs_site.from_elsewhere(tmp_path)) == 1
