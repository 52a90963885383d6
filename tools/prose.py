"""List prose that breaks the rules, with file and line: `python tools/prose.py [PATH ...]`.

Two rules can be measured:

* **Headless clauses**: `what`, `whatever` and `whoever` anywhere, and `who` without a noun before
  it (`for who calls`; "the caller who retries" has its noun). At the start of a sentence, `How`,
  `Why`, `Which` and `That the ...` count too. A direct question ("What next?") does not count.
  Pages are bounded by the clauses per 1,000 words, docstrings by the share that opens with one.
* **Words** that are private to this project or out of use, each with the field's term.

Measured are the pages (Markdown without code), docstrings, comments (of other languages too), and
messages: the strings in `raise`, in calls of a logger, and in `help`, `description` and `epilog`.

The exit status is 1 if something was listed.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("*.md", "docs/**/*.md", "examples/**/*.md", "deploy/**/*.md", "client/**/*.md")
OTHERS = (
    ".ci/run", "Dockerfile", "Makefile", "*.toml", "*.yaml", "*.yml", "deploy/**/*.yaml",
    "deploy/**/*.yml", "tools/*.sh", "protos/**/*.proto", "server/**/*.yaml",
    "examples/**/*.yaml", "examples/**/*.go", "examples/**/*.mjs", "examples/**/*.ts",
    "examples/**/*.java", "examples/**/*.rs", "client/*/src/*.ts", "client/*/test/*.ts",
    "client/go/**/*.go", "client/*/details/**/*.proto",
)  # fmt: skip
CODE = ("server", "client", "integrations", "benchmarks", "training", "tools", "examples")

# pattern -> the better word
WORDS = {
    r"lanes?": "fast path",
    r"kept": "cached, stored, recorded, retained",
    r"told": "reported, notified, listed",
    r"asked": "called, requested",
    r"drawn": "sampled",
    r"(?:in|by|fair) turns|(?:its|their) turns?|takes? turns": "fair scheduling, one by one",
    r"(?:short|long) way": "fast path, full path",
    r"of (?:its|their) own": "own, separate, dedicated",
    r"now and then": "occasionally; better: the interval or the share",
    r"anew|afresh": "again, new",
    r"mend(?:s|ed|ing)?": "fix, repair",
    r"betimes|lest|hence|thereof|wherein|by and by": "a word in use",
}

_WORD = re.compile(
    "|".join(rf"(?P<w{number}>\b(?:{word})\b)" for number, word in enumerate(WORDS)), re.IGNORECASE
)
# The beginning of a sentence or a table cell; of a heading, a list item or a bracket.
_SENTENCE = r"(?:\A|(?<=\n\n)|(?<=[.!?:;|]\s)|(?<=[*\-]\s)|(?<=\*\*))\s*"
_OPENING = rf"(?:{_SENTENCE}|(?<=#\s)|(?<=[(\"]))"
_BEFORE_WHO = (
    r"(?<=\bof )|(?<=\bfor )|(?<=\bto )|(?<=\bby )|(?<=\bwith )|(?<=\bfrom )|(?<=\bon )|(?<=\bat )"
    r"|(?<=\band )|(?<=\bor )|(?<=\bis )|(?<=\bthan )|(?<=\bsays )|(?<=\bsay )|(?<=\bbut )"
    r"|(?<=\bdecides )|(?<=\bdecide )|(?<=\bknows )|(?<=\bknow )|(?<=\bsince )|(?<=, )"
)
_HEADLESS = re.compile(
    r"\b(?:what|whatever|whoever)\b"
    rf"|(?:{_OPENING}|{_BEFORE_WHO})\bwho\b"
    rf"|{_SENTENCE}\b(?:how|why|which)\b(?=\s+[a-z])"
    rf"|{_SENTENCE}\bthat (?:a|an|the|it|they|there|no|one|every|each)\b",
    re.IGNORECASE,
)
# A docstring opens with a verb or a noun; "Whether ..." is the usual opening of a boolean property.
_HEADLESS_START = re.compile(
    r"\W*(?:what|whatever|who|whoever|whose|how|why|which|where"
    r"|that (?:a|an|the|it|they|there|no|one|every|each))\b",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.?!|](?=\s|\Z|[)\"*])|\n\s*\n")
_CODE = re.compile(
    r"<!--.*?-->|^[ ]*(?P<fence>```+|~~~+).*?^[ ]*(?P=fence)[ ]*$|`[^`\n]*`|\]\([^)\s]*\)",
    re.DOTALL | re.MULTILINE,
)
_LEVELS = frozenset({"debug", "info", "warning", "error", "critical", "exception", "log"})
_HELP = frozenset({"help", "description", "epilog"})


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of prose; `line` is the number of its first line."""

    path: str
    line: int
    kind: str  # page, docstring, comment or message
    text: str

    @property
    def words(self) -> int:
        """The number of words."""
        return len(re.findall(r"[^\W_]+", self.text))

    @property
    def opens_headless(self) -> bool:
        """Whether its first words are a clause without a noun, such as `What is shown`."""
        found = _HEADLESS_START.match(self.text)
        return found is not None and not _is_question(self.text, found.end())


@dataclass(frozen=True, slots=True)
class Offence:
    """A place that breaks a rule, and a better word for it."""

    path: str
    line: int
    kind: str
    excerpt: str
    advice: str

    def __str__(self) -> str:
        return f'{self.path}:{self.line}: {self.kind}: "{self.excerpt}": {self.advice}'


def headless(passage: Passage) -> list[Offence]:
    """The headless clauses of a passage."""
    found = list(_HEADLESS.finditer(passage.text))
    if passage.kind != "page":
        found += filter(None, [_HEADLESS_START.match(passage.text)])
    ends = sorted({each.end() for each in found if not _is_question(passage.text, each.end())})
    return [_offence(passage, end, "a clause without its noun") for end in ends]


def words(passage: Passage) -> list[Offence]:
    """The words of a passage for which the field has a better one."""
    advice = list(WORDS.values())
    return [
        _offence(passage, match.end(), advice[int(match.lastgroup[1:])])
        for match in _WORD.finditer(passage.text)
        if match.lastgroup is not None
    ]


def _is_question(text: str, position: int) -> bool:
    end = _SENTENCE_END.search(text, position)
    return end is not None and end[0] == "?"


def _offence(passage: Passage, end: int, advice: str) -> Offence:
    line = passage.line + passage.text.count("\n", 0, end)
    excerpt = " ".join(passage.text[max(0, end - 20) : end + 30].split())
    return Offence(passage.path, line, passage.kind, excerpt, advice)


def of_page(path: str, text: str) -> Passage:
    """The prose of a Markdown page: code, links' targets and comments are blanked, lines stay."""
    return Passage(path, 1, "page", _CODE.sub(_blank, text))


def _blank(code: re.Match[str]) -> str:
    return "`" + "\n" * code[0].count("\n") + "`" if code[0][0] != "]" else "]"


def of_module(path: str, text: str) -> Iterator[Passage]:
    """The docstrings, messages and comments of a Python module."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and (docstring := _literal(node.value)):
            # Of a module, a class, a function, or of the attribute before it.
            yield Passage(
                path, node.lineno, "docstring", _without_code(inspect.cleandoc(docstring))
            )
        for string in _messages(node):
            literal = _literal(string)
            if literal:
                yield Passage(path, string.lineno, "message", _without_code(literal))
    yield from _comments(path, text)


def _messages(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        return [*node.exc.args, *(keyword.value for keyword in node.exc.keywords)]
    if isinstance(node, ast.Call):
        texts = [keyword.value for keyword in node.keywords if keyword.arg in _HELP]
        if isinstance(node.func, ast.Attribute) and node.func.attr in _LEVELS:
            texts += node.args
        return texts
    return []


def _literal(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            _literal(part) if isinstance(part, ast.Constant) else "`_`" for part in node.values
        )
    return ""


def _comments(path: str, text: str) -> Iterator[Passage]:
    """Runs of comment lines, each as one passage; linters' directives are left out."""
    first, lines = 0, list[str]()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type != tokenize.COMMENT or re.match(
            r"#\s*(?:noqa|type:|fmt:|pragma|!)", token.string
        ):
            continue
        if lines and token.start[0] != first + len(lines):
            yield Passage(path, first, "comment", _without_code("\n".join(lines)))
            lines = []
        if not lines:
            first = token.start[0]
        lines.append(token.string.lstrip("# "))
    if lines:
        yield Passage(path, first, "comment", _without_code("\n".join(lines)))


def _without_code(text: str) -> str:
    return re.sub(r"``?[^`]*``?", _blank, text)


def of_other(path: str, text: str) -> Iterator[Passage]:
    """The runs of comment lines in a file of another language."""
    marker = r"//+" if re.search(r"\.(?:proto|go|mjs|ts|java|rs)$", path) else r"#+(?!!)"
    for run in re.finditer(rf"(?:^[ \t]*{marker}(?: .*)?\n)+", text, re.MULTILINE):
        prose = re.sub(rf"^[ \t]*{marker} ?", "", run[0], flags=re.MULTILINE)
        yield Passage(path, text.count("\n", 0, run.start()) + 1, "comment", _without_code(prose))


def all_pages(root: Path = ROOT) -> list[Passage]:
    """Read every page of the repository."""
    found = {file for pattern in PAGES for file in root.glob(pattern)}
    files = sorted(file for file in found if "node_modules" not in file.parts)
    return [of_page(file.relative_to(root).as_posix(), _text(file)) for file in files]


def all_code(root: Path = ROOT) -> Iterator[Passage]:
    """Read every module that is not generated, and the comments of other files."""
    for file in sorted(file for folder in CODE for file in (root / folder).rglob("*.py")):
        if not re.search(r"_pb2(_grpc)?\.py$|/node_modules/|/\.venv/", file.as_posix()):
            yield from of_module(file.relative_to(root).as_posix(), _text(file))
    for file in sorted({file for pattern in OTHERS for file in root.glob(pattern)}):
        if not re.search(r"/(?:node_modules|target|gen)/", file.as_posix()):
            yield from of_other(file.relative_to(root).as_posix(), _text(file))


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def room_of(path: str) -> str:
    """Name the room of a module: `server/pointsman_server/cache` for all below that folder."""
    folders = path.split("/")[:-1]
    if path.startswith("examples/gateways/"):
        return "examples/gateways"
    if not folders:
        return "the root"
    return "/".join(folders[: 3 if folders[0] == "server" else 2])


def _summary(name: str, passages: list[Passage]) -> str:
    total = sum(passage.words for passage in passages) or 1
    clauses = sum(len(headless(passage)) for passage in passages)
    listed = sum(len(words(passage)) for passage in passages)
    opening = [passage.opens_headless for passage in passages if passage.kind == "docstring"]
    share = f"{sum(opening) / len(opening):6.1%}" if opening else "     -"
    return f"{total:7} {1000 * clauses / total:8.1f} {share} {listed:6}  {name}"


def main() -> int:
    """Print the offences and a summary; the status is 1 if there are offences."""
    parser = argparse.ArgumentParser(description="List prose that breaks the rules.")
    parser.add_argument("paths", nargs="*", help="files or folders; without any: everything")
    parser.add_argument("--summary", action="store_true", help="print one line a page and room")
    arguments = parser.parse_args()
    wanted = [Path(path).resolve().relative_to(ROOT).as_posix() for path in arguments.paths]
    passages = [
        passage
        for passage in [*all_pages(), *all_code()]
        if not wanted
        or any(w in (".", passage.path) or passage.path.startswith(w + "/") for w in wanted)
    ]
    offences = [each for passage in passages for each in (*headless(passage), *words(passage))]
    if not arguments.summary:
        for offence in sorted(offences, key=lambda each: (each.path, each.line)):
            print(offence)
    groups: dict[str, list[Passage]] = {}
    for passage in passages:
        name = passage.path if passage.kind == "page" else room_of(passage.path)
        groups.setdefault(name, []).append(passage)
    print("  words headless opening listed  page or room\n          /1,000    (%)  words")
    for name, group in groups.items():
        print(_summary(name, group))
    print(_summary("in all", passages))
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
