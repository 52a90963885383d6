"""Shares of a bounded resource."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.core.fair_share import ALPHA, FairShare


def greedy(places: FairShare, *callers: str) -> dict[str, int]:
    """What callers get that take as much as they can, in turns."""
    got = dict.fromkeys(callers, 0)
    wanting = list(callers)
    while wanting:
        wanting = [each for each in wanting if places.take(each)]
        for each in wanting:
            got[each] += 1
    return got


@pytest.mark.parametrize(("count", "each", "left"), [(1, 800, 200), (4, 236, 56), (100, 10, 0)])
def test_greedy_callers_get_equal_shares_and_leave_room(count, each, left):
    places = FairShare(1_000)
    got = greedy(places, *map(str, range(count)))
    assert set(got.values()) <= {each, each - 1}
    assert 1_000 - places.taken >= left


def test_the_next_caller_finds_room_and_the_greedy_find_none():
    places = FairShare(1_000)
    greedy(places, "a", "b", "c", "d")
    assert not places.take("a")
    assert greedy(places, "quiet")["quiet"] > 30


def test_a_caller_that_is_not_known_has_the_limit_alone():
    places = FairShare(10)
    assert [places.take(None) for _ in range(11)] == [True] * 10 + [False]


@given(st.integers(0, 40), st.lists(st.tuples(st.booleans(), st.sampled_from([None, *"abc"]))))
def test_places_never_exceed_the_limit_and_what_is_returned_is_free_again(limit, steps):
    places, held = FairShare(limit), []
    for takes, caller in steps:
        if takes:
            if places.take(caller):
                held.append(caller)
        elif caller in held:
            places.leave(caller)
            held.remove(caller)
        assert places.taken == len(held) <= limit
    for caller in held:
        places.leave(caller)
    assert places.taken == 0
    assert greedy(places, "z")["z"] <= limit * ALPHA / (ALPHA + 1) + 1
