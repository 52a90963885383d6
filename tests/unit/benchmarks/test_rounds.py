"""Which rounds count, and what a bar makes of them."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from xml.etree import ElementTree as ET

import pytest

from benchmarks.bars import Busy, Series, bar, least_sure, shown, table, unmeasured
from benchmarks.plot import plot
from benchmarks.rounds import Rounds


def sides(*rows):
    """Sides that see these rows, one after the other."""
    columns = [iter(column) for column in zip(*rows, strict=True)]
    return [lambda column=column: next(column) for column in columns]


def test_a_round_counts_only_if_its_control_is_good_and_is_repeated_otherwise():
    played = Rounds(2).play(sides((100, 50, 111), (100, 60, 100), (100, 10, 89), (100, 80, 105)))
    ratios = played.over_control(1)
    assert ratios.values == pytest.approx([0.6, 80 / 102.5])
    assert ratios.controls == pytest.approx([1.0, 1.05])
    assert ratios.tried == 4


def test_rounds_are_repeated_as_often_as_they_are_wanted_and_no_further():
    played = Rounds(2).play(sides(*[(100, 50, 200)] * 4))
    row = bar("P0", "what", ">= 1", played.over_control(1))
    assert (row.measured, row.counted, row.tried, row.reached) == (None, 0, 4, False)
    assert row.verdict == "**no round counts**"


class Clock:
    """Time that passes as sides are measured."""

    def __init__(self):
        self.seconds = 0.0

    def __call__(self):
        return self.seconds

    def side(self, *, takes, sees=1.0):
        def measure():
            self.seconds += takes
            return sees

        return measure

    def off(self, *, takes):
        """Two sides whose control never counts."""
        return [self.side(takes=takes), self.side(takes=takes, sees=2.0)]


@pytest.mark.parametrize(
    ("seconds", "tried"), [(math.inf, 10), (100, 10), (99.9, 9), (39, 3), (10, 1), (0, 1)]
)
def test_no_round_but_the_first_begins_that_would_not_end_in_time(seconds, tried):
    clock = Clock()
    rounds = Rounds(5, seconds=seconds, sides=2, now=clock)
    assert rounds.play(clock.off(takes=5)).tried == tried


def test_comparisons_share_the_time_that_is_left_by_their_sides():
    clock = Clock()
    rounds = Rounds(50, seconds=120, sides=6, now=clock)
    assert rounds.play(clock.off(takes=1)).tried == 20  # a third of the time
    good = clock.side(takes=5)
    assert rounds.play([good, good]).tried == 4  # half of 80 seconds
    assert rounds.play(clock.off(takes=1)).tried == 20  # what is left
    assert clock.seconds == 120


def test_time_that_a_comparison_does_not_need_is_left_to_those_that_follow():
    clock = Clock()
    rounds = Rounds(5, seconds=100, sides=4, now=clock)
    assert rounds.play([clock.side(takes=1)] * 2).tried == 5
    assert rounds.play(clock.off(takes=5)).tried == 9  # of 90 seconds


def test_the_order_turns_every_round():
    order = []
    Rounds(2).play([lambda side=side: order.append(side) or 1.0 for side in "abc"])
    assert "".join(order) == "abccba"


def test_sides_compare_with_each_other_and_by_what_they_have_more():
    played = Rounds(1).play(sides((100, 50, 25, 100)))
    assert played.over(1, 2).values == [2]
    assert played.beyond_control(1).values == [-50]


@pytest.mark.parametrize(
    ("limit", "values", "reached"),
    [
        (">= 0.75", [0.7, 0.75, 0.9], True),
        (">= 0.75", [0.9, 0.74, 0.7], False),
        ("<= 1.5", [1.5], True),
        ("<= 1.5", [1.51], False),
    ],
)
def test_a_bar_is_reached_by_the_median(limit, values, reached):
    row = bar("P0", "what", limit, Series(values))
    assert row.reached is reached
    assert (row.low, row.high) == (min(values), max(values))


BARS = [
    bar(
        "P1",
        "a & b",
        ">= 0.75",
        Series([0.7, 0.8, 0.9], controls=[1, 1, 1.1], tried=5, busy=Busy(0.97, 0.2)),
    ),
    bar("P2", "too low", ">= 1", Series([0.0])),
    bar("P3", "busy", "<= 1", Series([], tried=6)),
    unmeasured("P4", "elsewhere", ">= 1", "a part that is missing"),
]


def test_the_table_says_missed_for_what_is_missed_and_how_many_rounds_count():
    lines = table(BARS).splitlines()[2:]
    assert "| 0.80 | 0.70 | 0.90 | 1.00 | 3 of 5 | 97% | 20% | reached |" in lines[0]
    assert lines[1].endswith("| 1 of 1 |  |  | **missed** |")
    assert lines[2].endswith("| 0 of 6 |  |  | **no round counts** |")
    assert lines[3].endswith("|  |  |  | not measured: a part that is missing |")
    assert len(lines) == len(BARS)
    json.dumps([asdict(each) for each in BARS])


def test_a_row_without_a_bar_is_shown_and_not_plotted():
    row = shown("P7", "no bar for it", Series([0.02]))
    assert (
        table([row])
        .splitlines()[2]
        .endswith("|  | 0.02 | 0.02 | 0.02 |  | 1 of 1 |  |  | no bar |")
    )
    assert "no bar for it" not in plot([row, bar("P1", "what", ">= 1", Series([1.0]))], title="")


def test_a_server_that_may_have_waited_for_the_load_is_told():
    waited = bar("P1", "what", ">= 1", Series([1.0], busy=Busy(0.89, 1.0)))
    row, _, note = table([waited]).splitlines()[2:]
    assert "| **89%** | 100% | reached |" in row
    assert note.startswith("Bold: the server's core was less than 90% busy")


def test_of_several_bursts_the_idlest_server_and_the_busiest_load_are_told():
    assert least_sure([Busy(0.9, 0.1), Busy(1.0, 0.4), Busy(0.95, 0.2)]) == Busy(0.9, 0.4)


def test_the_plot_has_every_bar_that_was_measured_and_is_well_formed():
    tree = ET.fromstring(plot(BARS, title="a < b"))
    texts = [node.text or "" for node in tree.iter("{http://www.w3.org/2000/svg}text")]
    assert "a < b" in texts
    assert any(text.startswith("P1 a & b: 0.80") for text in texts)
    assert not any(text.startswith("P3") for text in texts)
    dots = list(tree.iter("{http://www.w3.org/2000/svg}circle"))
    assert len(dots) == 2
    assert float(dots[0].attrib["cx"]) > float(dots[1].attrib["cx"])
