from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.report.grouped import Grouped
from pointsman_server.report.intervals import student_t, wilson
from pointsman_server.report.line import GROUPS

# Quantiles from tables of Student's t.
TABLE = [(29, 2.0452), (40, 2.0211), (60, 2.0003), (120, 1.9799), (1023, 1.9623)]


@pytest.mark.parametrize(("degrees", "quantile"), TABLE)
def test_students_quantiles_are_those_of_the_tables(degrees: int, quantile: float) -> None:
    assert student_t(degrees) == pytest.approx(quantile, abs=5e-4)


# R. G. Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
NEWCOMBE = [
    (81, 263, 0.2553, 0.3662),
    (15, 148, 0.0624, 0.1605),
    (0, 20, 0.0, 0.1611),
    (1, 29, 0.0061, 0.1718),
]


@pytest.mark.parametrize(("hits", "n", "low", "high"), NEWCOMBE)
def test_wilsons_interval_is_the_published_one(hits: int, n: int, low: float, high: float) -> None:
    assert wilson(hits / n, n=n) == pytest.approx((low, high), abs=5e-5)


@given(st.floats(0, 1), st.floats(1, 1e9))
def test_wilsons_interval_holds_the_share_and_stays_one(share: float, n: float) -> None:
    low, high = wilson(share, n=n)
    assert 0 <= low <= share + 1e-12
    assert share - 1e-12 <= high <= 1


def grouped(values: list[tuple[float, float, int]]) -> Grouped:
    sums = Grouped()
    for value, weight, group in values:
        sums.add(value, weight=weight, group=group % GROUPS)
    return sums


def test_one_line_a_conversation_gives_the_interval_of_a_plain_mean() -> None:
    dice = random.Random(1)
    values = [dice.gauss(3, 2) for _ in range(GROUPS)]
    found = grouped([(value, 1, at) for at, value in enumerate(values)]).mean_interval()
    mean = sum(values) / GROUPS
    error = (sum((v - mean) ** 2 for v in values) / (GROUPS - 1) / GROUPS) ** 0.5
    assert found is not None
    assert (found.low, found.value, found.high) == pytest.approx(
        (mean - student_t(GROUPS - 1) * error, mean, mean + student_t(GROUPS - 1) * error)
    )


def test_a_conversation_that_says_the_same_a_hundred_times_says_it_once() -> None:
    dice = random.Random(2)
    values = [(float(dice.random() < 0.3), 1.0, at) for at in range(400)]
    once, often = grouped(values), grouped(values * 100)
    for ours, theirs in (
        (once.mean_interval(), often.mean_interval()),
        (once.share_interval(), often.share_interval()),
    ):
        assert ours is not None
        assert theirs is not None
        assert (theirs.low, theirs.high) == pytest.approx((ours.low, ours.high), rel=0.01)


def test_lines_are_never_taken_for_more_than_they_are() -> None:
    # Half of each conversation's lines, so that conversations hardly differ from one another.
    values = [(float(half), 1.0, at) for at in range(50) for half in (0, 1)]
    found = grouped([*values, (1.0, 1.0, 50)]).share_interval()
    assert found is not None
    assert (found.low, found.high) == pytest.approx(wilson(51 / 101, n=101))


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_share_that_never_varies_is_as_sure_as_there_are_conversations(share: float) -> None:
    few = grouped([(share, 1.0, at % 5) for at in range(1_000)]).share_interval()
    many = grouped([(share, 1.0, at) for at in range(1_000)]).share_interval()
    assert few is not None
    assert many is not None
    assert few.high - few.low == pytest.approx(0.434, abs=0.001)
    assert many.high - many.low == pytest.approx(0.0038, abs=0.0001)


def test_of_nothing_and_of_few_conversations_there_is_no_mean_interval() -> None:
    assert grouped([]).share_interval() is None
    assert grouped([]).mean_interval() is None
    assert grouped([(at % 7, 1.0, at % 29) for at in range(580)]).mean_interval() is None
    assert grouped([(at % 7, 0.1, at % 30) for at in range(600)]).mean_interval() is not None


def test_of_few_lines_there_is_no_mean_interval() -> None:
    assert grouped([(at % 7, 0.1, at) for at in range(99)]).mean_interval() is None
    assert grouped([(at % 7, 0.1, at) for at in range(100)]).mean_interval() is not None


HEAVY = {
    "one line at a ten-thousandth": [(-13.0, 1e4, 500)],
    "three lines at a hundredth": [(-13.0, 100.0, 500 + at) for at in range(3)],
    "a conversation without end": [(float(at % 5), 1.0, 500) for at in range(5_000)],
}


@pytest.mark.parametrize("heavy", HEAVY.values(), ids=HEAVY)
def test_what_outweighs_all_else_gives_no_mean_interval(
    heavy: list[tuple[float, float, int]],
) -> None:
    # It would pull the mean to itself, and then nothing would differ from the mean.
    light = [(20.0 - 33 * (at % 2), 1.0, at) for at in range(120)]
    assert grouped(light).mean_interval() is not None
    assert grouped([*light, *heavy]).mean_interval() is None


def test_effective_numbers_are_those_of_equal_weights() -> None:
    found = grouped([(0.0, 1.0, at % 2) for at in range(8)])
    assert (found.effective_lines, found.effective_groups) == (8, 2)
    uneven = grouped([(0.0, 3.0, 1), (0.0, 1.0, 2)])
    assert (uneven.effective_lines, uneven.effective_groups) == (1.6, 1.6)
    assert (grouped([]).effective_lines, grouped([]).effective_groups) == (0, 0)


def test_lines_that_are_all_alike_give_no_mean_interval_in_one_file_or_in_two() -> None:
    alike, other = (grouped([(v, 1.0, at) for at in range(200)]) for v in (0.1 + 0.2, 0.3))
    assert alike.alike
    assert alike.mean_interval() is None
    alike.merge(other)
    assert alike.alike
    alike.merge(grouped([(0.31, 1.0, 7)]))
    assert not alike.alike
    assert alike.mean_interval() is not None
    assert not grouped([]).alike


def test_a_variance_of_nothing_and_one_of_dust_give_the_same_interval_of_a_share() -> None:
    # Both conversations have the same share; tenths do not add up exactly.
    halves = [(float(at % 2), 1.0, at % 4 // 2) for at in range(40)]
    tenths = [(value, 0.1, group) for value, _, group in halves]
    exact, dusty = grouped(halves).share_interval(), grouped(tenths).share_interval()
    assert exact is not None
    assert dusty is not None
    assert (exact.low, exact.high) == pytest.approx(wilson(0.5, n=40))
    assert (dusty.low, dusty.high) == pytest.approx((exact.low, exact.high))


@pytest.mark.parametrize("rates", [(1.0,), (0.2,), (0.1, 0.5)])
def test_nineteen_of_twenty_intervals_hold_the_truth_over_drawn_lines_of_conversations(
    rates: tuple[float, ...],
) -> None:
    # Conversations of one to ten lines that are all alike: a third of them differ and save 2.
    dice, held, runs = random.Random(3), [0, 0], 300
    for _ in range(runs):
        sums, costs = Grouped(), Grouped()
        for conversation in range(200):
            differs, rate = float(dice.random() < 1 / 3), rates[conversation % len(rates)]
            for _ in range(dice.randint(1, 10)):
                if dice.random() < rate:
                    sums.add(differs, weight=1 / rate, group=conversation)
                    costs.add(-2 * differs, weight=1 / rate, group=conversation)
        for at, (found, truth) in enumerate(
            ((sums.share_interval(), 1 / 3), (costs.mean_interval(), -2 / 3))
        ):
            assert found is not None
            held[at] += found.low <= truth <= found.high
    assert all(0.92 * runs <= each <= 0.98 * runs for each in held), held
