from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pointsman_server.engines.local import hashing
from pointsman_server.engines.local.features import DENSE_NAMES, HEAD, TAIL, extract
from pointsman_server.engines.local.hashing import BITS

AT = {name: at for at, name in enumerate(DENSE_NAMES)}


def spelled_out(words: list[str]) -> set[int]:
    """The buckets of words and pairs, worked out with Python's own integers."""
    wrap = (1 << 64) - 1
    base = int(hashing._BASE)

    def polynomial(word: str) -> int:
        return sum(int(hashing._BYTE[b]) * pow(base, i) for i, b in enumerate(word.encode())) & wrap

    def bucket(value: int) -> int:
        value ^= value >> 32
        return (value * int(hashing._MIX) & wrap) >> (64 - BITS)

    hashes = [polynomial(word) for word in words]
    pairs = [
        (a * int(hashing._LEFT) + b * int(hashing._RIGHT)) & wrap
        for a, b in itertools.pairwise(hashes)
    ]
    return {bucket(value) for value in hashes + pairs}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Sort a LIST", ["sort", "a", "list"]),
        ("x = 12;", ["x", "=", "1", "2", ";"]),
        ("  naïve\tcafé\n", ["naïve", "café"]),
        ("don\u2019t", ["don", "'", "t"]),
    ],
)
def test_vector_hashes_are_those_of_the_words_and_their_pairs(text: str, words: list[str]) -> None:
    assert set(extract(text).buckets.tolist()) == spelled_out(words)


@given(st.text(max_size=300))
@settings(max_examples=150, deadline=None)
def test_any_string_gives_finite_features_of_fixed_shape(text: str) -> None:
    found = extract(text)
    assert found.dense.shape == (len(DENSE_NAMES),)
    assert np.isfinite(found.dense).all()
    assert len(found.buckets) == len(found.weights)
    assert (np.diff(found.buckets) > 0).all()
    assert (found.buckets < 1 << BITS).all()


@pytest.mark.parametrize("text", ["", " ", "\ud800", "\x00", "a", "é" * 5_000, "\n(a", "\nb."])
def test_odd_strings_are_measured(text: str) -> None:
    assert np.isfinite(extract(text).dense).all()


def test_only_the_start_and_the_end_of_a_long_text_are_read() -> None:
    middle = extract("a" * HEAD + "secret words in the middle " * 100 + "b" * TAIL)
    other = extract("a" * HEAD + "something else altogether here " * 200 + "b" * TAIL)
    assert middle.buckets.tolist() == other.buckets.tolist()


def test_words_weigh_the_same_whatever_the_case_and_the_spaces() -> None:
    plain, spaced = extract("Reverse the list"), extract("reverse   THE\n\nlist")
    assert plain.buckets.tolist() == spaced.buckets.tolist()
    assert plain.weights.tolist() == spaced.weights.tolist()


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("Which one?\nA. red\nB. blue\nC. green", "options", 3),
        ("Which one?\n(A) red\n(B) blue", "options", 2),
        ("12 apples and 345 pears", "numbers", 2),
        ("7", "numbers", 1),
        ("a{b};", "code_marks", 3),
        ("python and pandas", "words_code", 1),
        ("python and pandas", "words_data", 1),
        ("a longword b", "longest_word", 8),
    ],
)
def test_measurements_are_what_they_are_called(text: str, name: str, value: float) -> None:
    assert extract(text).plain[AT[name]] == value


def test_shares_lie_between_zero_and_one() -> None:
    found = extract("ABC 123 ééé")
    for name in ("upper_share", "digit_share", "non_ascii_share", "distinct_share"):
        assert 0 < found.dense[AT[name]] < 1
