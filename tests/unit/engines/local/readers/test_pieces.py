from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.engines.local.readers.pieces import (
    GAP,
    HEAD,
    NEWLINE,
    SPECIAL,
    TAIL,
    Pieces,
)

VOCABULARY = (
    "the",
    "cat",
    "cats",
    "at",
    "s",
    "parse",
    "http",
    "header",
    "(",
    ")",
    "-",
    "猫",
    "лес",
)


@pytest.fixture(scope="module")
def pieces() -> Pieces:
    return Pieces(VOCABULARY)


def row(piece: str) -> int:
    return SPECIAL + VOCABULARY.index(piece)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("the cat", ["the", "cat"]),
        ("The CAT", ["the", "cat"]),
        ("catsat", ["cats", "at"]),
        ("parseHTTPHeader", ["parse", "http", "header"]),
        ("cat(s)", ["cat", "(", "s", ")"]),
        ("----", ["-"]),
        ("猫猫", ["猫", "猫"]),
        ("Лес", ["лес"]),
        ("ｃａｔ", ["cat"]),  # noqa: RUF001  (full-width letters)
        ("", []),
    ],
)
def test_words_become_the_longest_pieces(pieces: Pieces, text: str, rows: list[str]) -> None:
    assert pieces.encode(text) == [row(piece) for piece in rows]


def test_numbers_stand_for_their_number_of_digits(pieces: Pieces) -> None:
    assert pieces.encode("17") == pieces.encode("42")
    assert pieces.encode("17") != pieces.encode("170")
    assert pieces.encode("1234567") == pieces.encode("123456")


def test_blank_lines_count_once(pieces: Pieces) -> None:
    assert pieces.encode("the\n\n\ncat") == [row("the"), NEWLINE, row("cat")]


def test_an_unknown_character_has_a_row_of_its_own_kind(pieces: Pieces) -> None:
    (found,) = pieces.encode("ह")
    assert 0 < found < SPECIAL


def test_a_long_text_is_read_at_its_start_and_its_end(pieces: Pieces) -> None:
    found = pieces.encode("the " * 500 + "cat " * 500)
    assert found == [row("the")] * HEAD + [GAP] + [row("cat")] * TAIL


@given(st.text(max_size=3_000))
def test_every_text_becomes_rows_of_the_table(text: str) -> None:
    pieces = Pieces(VOCABULARY)
    found = pieces.encode(text)
    assert len(found) <= HEAD + TAIL + 1
    assert all(0 < at < pieces.size for at in found)


@given(st.text(alphabet=st.characters(max_codepoint=127), max_size=90))
def test_ascii_texts_are_cut_as_all_others(text: str) -> None:
    pieces = Pieces(VOCABULARY)
    assert pieces.encode(f"{text} ह") == pieces.encode(text) + pieces.encode("ह")
