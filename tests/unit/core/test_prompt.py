"""Which text engines see, and how much of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.core.model import PROMPT_CODE_POINTS
from support.builders import prompt


@pytest.mark.parametrize(
    ("first", "latest", "chosen"),
    [
        ("open", "latest", "latest"),
        ("open", None, "open"),
        ("open", "", "open"),
        ("open", " \n\t ", "open"),
        (None, "latest", "latest"),
        ("  ", "latest", "latest"),
        (None, "  padded\n", "padded"),
        ("  padded\n", None, "padded"),
        (None, None, None),
        ("", "", None),
        (" \n", "\t", None),
        ("\u3000\u00a0", "\u2003", None),
    ],
)
def test_the_latest_prompt_with_any_text_wins_over_the_first(first, latest, chosen):
    assert prompt(latest, first=first).chosen() == chosen


def test_a_prompt_is_cut_by_code_points_and_never_in_the_middle_of_one():
    assert prompt("🚂" * 1_001).chosen() == "🚂" * 1_000


@pytest.mark.parametrize(("length", "kept"), [(999, 999), (1_000, 1_000), (1_001, 1_000)])
def test_a_thousand_code_points_are_kept(length, kept):
    assert prompt("é" * length).chosen() == "é" * kept


def test_blanks_around_the_text_do_not_count_towards_its_length():
    assert prompt(" " * 5_000 + "x" * 1_000 + " " * 5_000).chosen() == "x" * 1_000


@given(first=st.none() | st.text(), latest=st.none() | st.text(max_size=3_000))
def test_what_is_chosen_is_the_trimmed_start_of_one_of_them(first, latest):
    chosen = prompt(latest, first=first).chosen()
    if chosen is None:
        assert not (first or "").strip()
        assert not (latest or "").strip()
    else:
        assert chosen.lstrip() == chosen != ""
        assert len(chosen) <= PROMPT_CODE_POINTS
        source = latest if (latest or "").strip() else first
        assert source.strip().startswith(chosen)
