"""Scaling on paper adds up."""

from __future__ import annotations

import pytest

from benchmarks.capacity import Assumed, carried, limits, report, ways

COSTS = {
    "call": 100.0,
    "stream": 50.0,
    "batch of 16": 25.0,
    "decided by engine local": 500.0,
    "decided by Morph": 700.0,
}


def test_a_node_carries_what_its_processors_have_time_for():
    row = carried("x", 100.0, Assumed(vcpus=8, nodes=100, busy=0.5, many_workers=1.25))
    assert row.vcpu == pytest.approx(4_000)
    assert row.node == pytest.approx(32_000)
    assert row.fleet == pytest.approx(3_200_000)


def test_a_million_decisions_cost_the_time_that_they_take():
    row = carried("x", 100.0, Assumed(busy=1.0, dollars_per_vcpu_hour=0.36), paid=0.5)
    assert row.dollars_per_million == pytest.approx(100 * 0.36 / 3_600)
    assert row.engine_dollars_per_million == pytest.approx(2_500)


def test_the_mix_lies_between_what_is_kept_and_what_is_made():
    rows = {row.way: row for row in ways(COSTS, Assumed(hit_rate=0.75))}
    mixed = rows["75% cached, else engine local"]
    assert mixed.microseconds == pytest.approx(200)
    assert rows["the same with Redis"].microseconds == pytest.approx(228)
    assert rows["75% cached with Redis, else Morph"].engine_dollars_per_million == 1_250


def test_the_nearest_limit_is_told_first():
    assumed = Assumed(redis_per_second=100_000, redis_per_decision=1.0)
    small, large = carried("x", 1e6, assumed), carried("x", 10.0, assumed)
    assert "commands" in limits(large, assumed)[0].what
    assert "maxclients" in limits(small, assumed)[0].what
    assert limits(large, assumed)[0].nodes == pytest.approx(100_000 / large.node)


def test_the_report_states_what_it_assumes():
    text = report(COSTS, Assumed(dollars_per_vcpu_hour=0.123), head="here")
    assert "$0.123" in text
    assert "here" in text
