"""Tallies and durations: bounded, and the same in parts as in one."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.report.durations import GROWTH, LONGEST, SHORTEST, Durations
from pointsman_server.report.tally import DIFFERENT, Tally

MILLIS = st.floats(SHORTEST, LONGEST)


def durations(values: list[float], *, weight: float = 1.0) -> Durations:
    found = Durations()
    for value in values:
        found.add(value, weight)
    return found


@given(st.lists(MILLIS, min_size=1), st.sampled_from([0.5, 0.95]))
def test_a_quantile_is_exact_to_a_percent(values: list[float], share: float) -> None:
    exact = sorted(values)[math.ceil(share * len(values)) - 1]
    assert durations(values).quantile(share) == pytest.approx(exact, rel=(GROWTH - 1) / 2 + 1e-3)


@given(st.lists(MILLIS), st.lists(MILLIS))
def test_durations_in_two_parts_have_the_quantiles_of_the_whole(
    one: list[float], other: list[float]
) -> None:
    both = durations(one)
    both.merge(durations(other))
    assert both.quantile(0.95) == durations(one + other).quantile(0.95)


def test_weights_count_and_what_is_out_of_bounds_is_kept_within() -> None:
    found = durations([1.0], weight=100)
    found.add(50.0, 1.0)
    assert found.quantile(0.95) == pytest.approx(1, rel=0.01)
    assert durations([]).quantile(0.5) is None
    assert durations([0.0]).quantile(0.5) == pytest.approx(SHORTEST, rel=0.02)
    wild = durations([10.0**power for power in range(-300, 300)])
    assert len(wild.counts) < 1_400


def test_a_tally_has_the_largest_first_and_counts_too_many_names_together() -> None:
    tally: Tally[str] = Tally()
    for number in range(DIFFERENT + 50):
        tally.add(f"n{number}", 2)
    tally.add("n7", 3)
    assert next(iter(tally.ranked().items())) == ("n7", 5)
    assert (len(tally.ranked()), tally.others) == (DIFFERENT, 100)
    assert tally.total == 2 * (DIFFERENT + 50) + 3


@given(st.lists(st.sampled_from("abc")), st.lists(st.sampled_from("bcd")))
def test_tallies_in_two_parts_are_the_tally_of_the_whole(one: list[str], other: list[str]) -> None:
    parts: list[Tally[str]] = [Tally(), Tally(), Tally()]
    for tally, keys in zip(parts, (one, other, one + other), strict=True):
        for key in keys:
            tally.add(key)
    parts[0].merge(parts[1])
    assert dict(parts[0].ranked()) == dict(parts[2].ranked())
