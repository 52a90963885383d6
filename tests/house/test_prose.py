"""Prose: headless clauses are bounded, private words are absent, in pages and in code."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
PAGE_CLAUSES = 2.0  # per 1,000 words, over all pages
LONE_PAGE_CLAUSES = 4.0  # per 1,000 words of one page
CODE_CLAUSES = 5.0  # per 1,000 words of a room's docstrings, comments and messages
DOCSTRING_OPENINGS = 0.01

# Not yet rewritten. Remove a line when `python tools/prose.py PATH` lists nothing; add none.
PENDING_PAGES: set[str] = set()
PENDING_ROOMS: set[str] = set()


def load_prose() -> ModuleType:
    spec = importlib.util.spec_from_file_location("prose", ROOT / "tools" / "prose.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["prose"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


prose = load_prose()


def rate(clauses: int, words: int) -> float:
    return 1000 * clauses / max(words, 1)


def listed(offences: list) -> str:
    return "\n".join(str(offence) for offence in offences)


PAGES = {page.path: page for page in prose.all_pages() if page.path not in PENDING_PAGES}
ROOMS: dict[str, list] = {}
for _passage in prose.all_code():
    ROOMS.setdefault(prose.room_of(_passage.path), []).append(_passage)


def test_pages_have_few_headless_clauses() -> None:
    offences = [offence for page in PAGES.values() for offence in prose.headless(page)]
    words = sum(page.words for page in PAGES.values())
    assert rate(len(offences), words) < PAGE_CLAUSES, listed(offences)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_few_headless_clauses_and_no_private_word(path: str) -> None:
    page = PAGES[path]
    offences = prose.headless(page)
    assert len(offences) <= max(1, LONE_PAGE_CLAUSES * page.words / 1000), listed(offences)
    assert not prose.words(page), listed(prose.words(page))


@pytest.mark.parametrize("room", sorted(set(ROOMS) - PENDING_ROOMS))
def test_a_room_has_few_headless_clauses_and_no_private_word(room: str) -> None:
    passages = ROOMS[room]
    offences = [offence for passage in passages for offence in prose.headless(passage)]
    words = sum(passage.words for passage in passages)
    assert len(offences) <= max(1, CODE_CLAUSES * words / 1000), listed(offences)

    docstrings = [passage for passage in passages if passage.kind == "docstring"]
    openings = [d for d in docstrings if d.opens_headless]
    assert len(openings) <= DOCSTRING_OPENINGS * len(docstrings), "\n".join(
        f"{d.path}:{d.line}: {d.text[:60]!r}" for d in openings
    )
    private = [offence for passage in passages for offence in prose.words(passage)]
    assert not private, listed(private)


@pytest.mark.parametrize(
    "text",
    [
        "What is shown comes from the cache.",
        "It says what is wrong.",
        "Set it to what your gateways need.",
        "A page for whoever is on call.",
        "Who calls needs a token.",
        "A table for who asks.",
        "| a | what it means |",
        "* Who runs the model",
        "How often that happens depends on the load.",
        "That the file is bad is logged.",
    ],
)
def test_a_headless_clause_is_found(text: str) -> None:
    assert len(prose.headless(prose.of_page("page.md", text))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "The caller who retries pays twice.",
        "What next?",
        "# How it works\n\nThe server reads the file.",
        "That file is reloaded. That is all.",
        "Choose the model that costs least.",
        "Run `what` and read [the page](what-is-shown.md).",
        "```sh\nwhat --is this\n```",
        "<!-- what readers do not see -->",
    ],
)
def test_prose_with_its_nouns_and_code_are_left_alone(text: str) -> None:
    assert prose.headless(prose.of_page("page.md", text)) == []


PRIVATE = ["the Lane", "is told", "was asked", "kept", "its turn", "in turns", "now and then",
           "a process of its own", "the short way"]  # fmt: skip


@pytest.mark.parametrize("word", PRIVATE)
def test_a_private_word_is_found(word: str) -> None:
    assert len(prose.words(prose.of_page("page.md", f"So {word} it."))) == 1


@pytest.mark.parametrize(
    "text", ["It turns the flag off.", "A conversation of six turns.", "`kept`", "planes"]
)
def test_words_of_the_field_are_left_alone(text: str) -> None:
    assert prose.words(prose.of_page("page.md", text)) == []


MODULE = '''"""What the module holds."""
import logging


def work(value):
    """Count the words.

    They are told apart.
    """
    # What is
    # kept here.
    logging.info("nobody %s was asked", value)
    raise ValueError(f"{value}: what is this")


LIMIT = 3
"""How many are allowed."""
'''


def test_the_prose_of_a_module_is_found_with_its_line() -> None:
    passages = list(prose.of_module("x.py", MODULE))
    offences = [each for p in passages for each in (*prose.headless(p), *prose.words(p))]
    assert sorted((offence.line, offence.kind) for offence in offences) == [
        (1, "docstring"),
        (8, "docstring"),
        (10, "comment"),
        (11, "comment"),
        (12, "message"),
        (13, "message"),
        (17, "docstring"),
    ]
    assert [p.opens_headless for p in passages if p.kind == "docstring"] == [True, True, False]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.yaml", "a: 1\n# What is\n# kept here.\nb: 2 # told\n"),
        ("a.go", "a := 1\n  // What is\n  // kept here.\n"),
    ],
)
def test_the_comments_of_other_languages_are_read(path: str, text: str) -> None:
    passages = list(prose.of_other(path, text))
    offences = [each for p in passages for each in (*prose.headless(p), *prose.words(p))]
    assert [(offence.line, offence.kind) for offence in offences] == [
        (2, "comment"),
        (3, "comment"),
    ]


def test_an_offence_in_a_page_has_its_line() -> None:
    page = prose.of_page("page.md", "# Page\n\n```sh\nmake\n```\n\nIt is\ntold.\n")
    assert [str(offence).split(": ")[0] for offence in prose.words(page)] == ["page.md:8"]


@pytest.mark.parametrize(
    ("path", "room"),
    [
        ("server/pointsman_server/cache/redis/store.py", "server/pointsman_server/cache"),
        ("server/pointsman_server/settings.py", "server/pointsman_server"),
        ("client/pointsman_client/bodies/read.py", "client/pointsman_client/bodies"),
        ("client/pointsman_client/client.py", "client/pointsman_client"),
        ("tools/prose.py", "tools"),
        ("examples/gateways/go/body.go", "examples/gateways"),
        ("Makefile", "the root"),
    ],
)
def test_a_module_has_one_room(path: str, room: str) -> None:
    assert prose.room_of(path) == (room if "bodies" not in room else "client/pointsman_client")
