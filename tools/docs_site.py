"""Lay out the pages of the documentation site: docs/, and the files that its pages link to.

A page may link to a file of the repository (`../examples/fallback.py`). Readers of the site have
no repository, so such a file becomes a separate page: Markdown unchanged, other files as text.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
SOURCES = "source"
_LINK = re.compile(r"(?<=\]\()(?!https?://|#|mailto:)([^)\s#]+)(#[^)\s]*)?(?=\))")
_LANGUAGES = {".py": "python", ".yaml": "yaml", ".yml": "yaml", ".go": "go", ".mjs": "javascript",
              ".proto": "proto", ".json": "json", ".toml": "toml"}  # fmt: skip
_FENCE = re.compile(r"(^[ ]*```.*?^[ ]*```$)", re.DOTALL | re.MULTILINE)
_HIDDEN = re.compile(r"^[ ]*<!--.*?-->\n?", re.DOTALL | re.MULTILINE)


class Site:
    """The pages below `out`, and their problems."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self._sources: set[PurePosixPath] = set()
        self.problems: list[str] = []

    def lay_out(self) -> None:
        """Write every page, then those that they link to outside of docs/, and so on."""
        shutil.rmtree(self._out, ignore_errors=True)
        for file in sorted(path for path in DOCS.rglob("*") if path.is_file()):
            name = PurePosixPath(file.relative_to(DOCS).as_posix())
            if file.suffix == ".md":
                text = _HIDDEN.sub("", file.read_text(encoding="utf-8"))
                self._write(name, self._linked(text, page=name, source=file))
            else:
                self._copy(file, name)
        laid: set[PurePosixPath] = set()
        while waiting := self._sources - laid:
            for source in sorted(waiting):
                self._lay_out_source(source)
            laid |= waiting

    def _lay_out_source(self, source: PurePosixPath) -> None:
        file, page = ROOT / source, _page_of(source)
        if file.is_dir():
            names = sorted(each.name for each in file.iterdir() if each.is_file())
            links = "".join(f"* [{each}]({each})\n" for each in names)
            self._write(page, self._linked(f"# {source}\n\n{links}", page=page, source=file / "_"))
            return
        text = file.read_text(encoding="utf-8")
        if file.suffix == ".md":
            text = self._linked(_HIDDEN.sub("", text), page=page, source=file)
        else:
            language = _LANGUAGES.get(file.suffix, "text")
            text = f"# {file.name}\n\n`{source}`\n\n~~~~{language}\n{text}~~~~\n"
        self._write(page, text)

    def _linked(self, text: str, *, page: PurePosixPath, source: Path) -> str:
        """A page's text with its links as they are on the site."""

        def link(found: re.Match[str]) -> str:
            target = (source.parent / found[1]).resolve()
            anchor = found[2] or ""
            if not target.is_relative_to(ROOT) or not target.exists():
                self.problems.append(f"{source.relative_to(ROOT)}: no such file: {found[1]}")
                return found[0]
            if target.is_dir() and (target / "README.md").is_file():
                target /= "README.md"
            if target.is_relative_to(DOCS):
                name = PurePosixPath(target.relative_to(DOCS).as_posix())
                return _relative(name, page) + anchor
            name = PurePosixPath(target.relative_to(ROOT).as_posix())
            self._sources.add(name)
            return _relative(_page_of(name), page) + anchor

        parts = _FENCE.split(text)
        return "".join(part if i % 2 else _LINK.sub(link, part) for i, part in enumerate(parts))

    def _write(self, name: PurePosixPath, text: str) -> None:
        file = self._out / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def _copy(self, file: Path, name: PurePosixPath) -> None:
        (self._out / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, self._out / name)


def not_in_nav() -> list[str]:
    """Pages of docs/ that the site's navigation does not lead to."""
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    named = set(re.findall(r"^ +- [^:]+: (\S+\.md)$", text, re.MULTILINE))
    there = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}
    return sorted(there - named)


def _page_of(source: PurePosixPath) -> PurePosixPath:
    """The page of a file; of a folder, its index."""
    if (ROOT / source).is_dir():
        return PurePosixPath(SOURCES) / source / "index.md"
    name = source if source.suffix == ".md" else source.with_name(f"{source.name}.md")
    return PurePosixPath(SOURCES) / name


def _relative(target: PurePosixPath, page: PurePosixPath) -> str:
    shared = 0
    while shared < len(page.parts) - 1 and page.parts[shared] == target.parts[shared]:
        shared += 1
    up = [".."] * (len(page.parts) - 1 - shared)
    return "/".join([*up, *target.parts[shared:]])


def from_elsewhere(built: Path) -> list[str]:
    """List the resources that pages of the built site load from other hosts."""
    loads = re.compile(
        r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=[\"']?((?:https?:)?//[^\"' >]+)"
    )
    return sorted(
        f"{page.relative_to(built)}: loads {found}"
        for page in built.rglob("*.html")
        for found in loads.findall(page.read_text(encoding="utf-8"))
    )


def _main(arguments: list[str]) -> None:
    built = ROOT / "build" / "docs"
    if "--check-built" in arguments:
        problems = from_elsewhere(built / "site")
    else:
        site = Site(built / "pages")
        site.lay_out()
        problems = [*site.problems, *(f"mkdocs.yml: not in nav: {page}" for page in not_in_nav())]
    if problems:
        sys.exit("\n".join(problems))


if __name__ == "__main__":
    _main(sys.argv[1:])
