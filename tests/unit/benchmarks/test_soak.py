"""What a soak calls growth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from math import inf, nan

import pytest

from benchmarks.soak.figures import MEASURES, Growth, Measure, Sample, growth, table
from benchmarks.soak.parts import added_up

STEADY = Sample(
    at=0, resident=100, descriptors=40, threads=12, tasks=20,
    p50=2.0, p99=9.0, p50_ratio=2.0, p99_ratio=3.0, cpu=0.8,
)  # fmt: skip
BOUNDED = [measure for measure in MEASURES if measure.most < inf]
COUNT = 100


def samples(**changing: Sequence[float]) -> list[Sample]:
    """A hundred samples, a second apart, of which the named measures change."""
    return [
        Sample(**{**asdict(STEADY), "at": n, **{name: vs[n] for name, vs in changing.items()}})
        for n in range(COUNT)
    ]


def of(field: str, found: Sequence[Growth]) -> Growth:
    title = next(measure.title for measure in MEASURES if measure.field == field)
    return next(each for each in found if each.title == title)


def test_a_steady_server_holds():
    assert not any(each.exceeds for each in growth(samples()))


@pytest.mark.parametrize("measure", BOUNDED, ids=lambda measure: measure.field)
def test_what_goes_on_growing_is_told(measure: Measure):
    field, start = measure.field, float(getattr(STEADY, measure.field))
    step = max(measure.most, measure.share * start) / 25
    found = growth(samples(**{field: [start + n * step for n in range(COUNT)]}))
    assert [each for each in found if each.exceeds] == [of(field, found)]
    assert of(field, found).per_hour == pytest.approx(step * 3_600)


def test_warming_up_is_no_growth():
    found = growth(samples(resident=[min(n, 10) * 30 for n in range(COUNT)]))
    assert (of("resident", found).first, of("resident", found).grown) == (0, 0)


def test_one_disturbed_sample_at_the_end_is_no_growth():
    found = growth(samples(p99_ratio=[3.0] * (COUNT - 1) + [500.0]))
    assert of("p99_ratio", found).last == 500
    assert not of("p99_ratio", found).exceeds


def test_a_machine_that_slows_everything_down_is_no_growth():
    assert not any(each.exceeds for each in growth(samples(p50=[2.0 + n for n in range(COUNT)])))


def test_a_sample_without_answers_has_no_latency():
    found = growth(samples(p50=[nan, *[2.0] * (COUNT - 2), nan]))
    assert (of("p50", found).first, of("p50", found).last) == (2.0, 2.0)


def test_a_process_that_nobody_asks_has_none_at_all():
    titles = {each.title for each in growth(samples(p50=[nan] * COUNT))}
    assert "p50, ms" not in titles
    assert "memory, MB" in titles


def test_what_may_grow_by_a_share_may_double_if_that_is_more_than_its_slack():
    found = growth(samples(p99_ratio=[10.0] * 50 + [19.5] * 50))
    assert of("p99_ratio", found).bound == 10


def test_too_few_samples_are_refused():
    with pytest.raises(ValueError, match="3 samples are too few"):
        growth(samples()[:3])


def test_the_table_says_what_grew():
    rows = table(growth(samples(descriptors=[40 + n for n in range(COUNT)]))).splitlines()
    assert [row.split(" | ")[0] for row in rows if "**grew**" in row] == ["| descriptors"]


def test_series_of_one_name_are_added_up():
    page = '# HELP a b\na_total{x="1",y="} 7"} 2\na_total{x="2"} 3.5\nb 1e3\n'
    assert added_up(page) == {"a_total": 5.5, "b": 1_000.0}
