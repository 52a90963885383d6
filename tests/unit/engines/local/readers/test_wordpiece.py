from __future__ import annotations

import pytest
from pointsman_server.engines.local.readers.wordpiece import HEAD, TAIL, WordPieces

VOCABULARY = (
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "un",
    "##believ",
    "##able",
    "cafe",
    "!",
    "猫",
    "a",
)


@pytest.fixture(scope="module")
def pieces() -> WordPieces:
    return WordPieces(VOCABULARY)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Unbelievable!", ["un", "##believ", "##able", "!"]),
        ("Café", ["cafe"]),
        ("猫cafe", ["猫", "cafe"]),
        ("xyz a", ["[UNK]", "a"]),
        ("a\u0000a\u200ba", ["[UNK]"]),
        ("", []),
    ],
)
def test_pieces_are_those_of_bert_uncased(pieces: WordPieces, text: str, found: list[str]) -> None:
    assert [VOCABULARY[at] for at in pieces.encode(text)] == ["[CLS]", *found, "[SEP]"]


def test_a_long_text_is_read_at_its_start_and_its_end(pieces: WordPieces) -> None:
    found = pieces.encode("a " * 300 + "! " * 300)
    assert found[1:-1] == [VOCABULARY.index("a")] * HEAD + [VOCABULARY.index("!")] * TAIL
