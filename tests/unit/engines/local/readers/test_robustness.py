from __future__ import annotations

from dataclasses import replace

import pytest
from pointsman_server.core.errors import ArtefactInvalid
from pointsman_server.engines.local.readers import DefaultReader, RequestEstimate, robustness


class Escalating:
    """A reader that words can talk into a harder label."""

    version = "escalating"

    def __init__(self, delegate: DefaultReader, *, word: str) -> None:
        self._delegate = delegate
        self._word = word

    def read(self, text: str) -> RequestEstimate:
        found = self._delegate.read(text)
        return replace(found, difficulty="hard") if self._word in text.lower() else found


class Flat:
    """A reader that says the same of every request."""

    version = "flat"

    def read(self, text: str) -> RequestEstimate:
        return DefaultReader.load().read("hello")


@pytest.fixture(scope="module")
def reader() -> DefaultReader:
    return DefaultReader.load()


def test_the_shipped_reader_passes(reader: DefaultReader) -> None:
    robustness.check(reader)


@pytest.mark.parametrize(
    ("word", "why"),
    [("model", "asking for a dearer model raises"), ("please", "harmless changes flip")],
)
def test_a_reader_that_words_can_move_is_refused(
    reader: DefaultReader, word: str, why: str
) -> None:
    with pytest.raises(ArtefactInvalid, match=why):
        robustness.check(Escalating(reader, word=word))


def test_a_reader_that_tells_nothing_apart_is_refused() -> None:
    with pytest.raises(ArtefactInvalid, match="does not tell a trivial request"):
        robustness.check(Flat())
