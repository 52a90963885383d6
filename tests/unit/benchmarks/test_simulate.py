"""What the simulation prints, and that the docs say it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import simulate
from benchmarks.fleet import Setup
from benchmarks.trace import Shape, make_trace

DOCS = Path(__file__).parents[3] / "docs" / "performance.md"
SMALL = Shape(requests=290, inputs=92)


async def test_the_report_has_a_row_a_size_and_a_row_a_trouble_and_is_the_same_again():
    base = Setup(replicas=1)
    text, facts = await simulate.report(SMALL, base, seed=1, price=0.005)
    assert (text, facts) == await simulate.report(SMALL, base, seed=1, price=0.005)
    for count in simulate.REPLICAS:
        assert f"\n| {count:,} | " in text
    for name in simulate.troubles():
        assert f"\n| {name} | " in text
    rows = json.loads(facts)["rows"]
    assert all(0 <= row["hit_rate"] <= 1 for row in rows)
    assert {row["trouble"] for row in rows} == {"", *simulate.troubles()}


async def test_calls_cost_what_the_engine_charges():
    row = (await simulate.sizes(make_trace(SMALL, seed=1), Setup(replicas=1), 1))[0]
    assert row.facts(0.005)["dollars_per_million"] == pytest.approx(92 / 290 * 5_000)


async def test_the_docs_have_what_the_simulation_prints(monkeypatch):
    monkeypatch.setattr(simulate, "REPLICAS", (1, 10, 1_000))
    rows = await simulate.sizes(make_trace(Shape(), seed=1), Setup(replicas=1), 1)
    documented = DOCS.read_text()
    for line in simulate.sizes_table(rows, simulate.DOLLARS_A_CALL).splitlines():
        assert line in documented
